/**
 * Rows of two runs that stand for the same thing, as the server pairs them.
 *
 * @import { CompareReply, Group, Row } from "../types.js"
 */

/**
 * The row of the other run that is row `index` of this one; null without one, or while it is not
 * known.
 *
 * @param {CompareReply | null} reply
 * @param {string | null} run
 * @param {string | null} other
 * @param {string | null} group
 * @param {number} index
 * @returns {number | null}
 */
export function partnerOf(reply, run, other, group, index) {
  if (!reply || reply.run !== run || reply.with !== other || index < 0) return null;
  return reply.groups.find((one) => one.group === group)?.partners[index] ?? null;
}

/**
 * @typedef {object} Pairs
 * @property {number} paired
 * @property {"name" | "place" | "role" | null} by
 * @property {Row[]} onlyHere
 * @property {Row[]} onlyThere
 */

/**
 * Which rows of a group have a partner, and which have none.
 *
 * @param {CompareReply} reply
 * @param {Group} group  Of the selected run.
 * @param {Group | null} other  The same group of the other run; null where it has none.
 * @returns {Pairs}
 */
export function pairsOf(reply, group, other) {
  const known = reply.groups.find((one) => one.group === group.group);
  const partners = known?.partners ?? [];
  const taken = new Set(partners);
  return {
    paired: partners.filter((one) => one !== null).length,
    by: known?.paired_by ?? null,
    onlyHere: group.rows.filter((_row, index) => (partners[index] ?? null) === null),
    onlyThere: other?.rows.filter((_row, index) => !taken.has(index)) ?? [],
  };
}
