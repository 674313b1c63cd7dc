/**
 * What became of the selected run's findings while its page was open: those that came, and those that
 * are gone, each with the step at which that was read. Pure.
 *
 * @import { FindingsReply, Step } from "../types.js"
 *
 * @typedef {object} Gone
 * @property {string} id
 * @property {string} title
 * @property {Step} step  Last step of the run when the finding was no longer there.
 *
 * @typedef {object} Watched
 * @property {string} run
 * @property {ReadonlyMap<string, Step>} came  By finding: the last step of the run when it was first there.
 * @property {readonly Gone[]} gone
 */

/**
 * @param {Watched | null} known
 * @param {FindingsReply} before
 * @param {FindingsReply} after  Of the same run, read later.
 * @returns {Watched | null} `known` itself where nothing came or went.
 */
export function watch(known, before, after) {
  const { run, last_step: step } = after;
  const own = known?.run === run ? known : null;
  const [old, now] = [before, after].map(({ findings }) => new Set(findings.map(({ id }) => id)));
  const left = before.findings.filter(({ id }) => !now.has(id));
  const fresh = after.findings.filter(({ id }) => !old.has(id));
  if (left.length + fresh.length === 0) return own;
  const came = new Map([...(own?.came ?? [])].filter(([id]) => now.has(id)));
  for (const { id } of fresh) came.set(id, step);
  const gone = (own?.gone ?? []).filter(({ id }) => !now.has(id));
  return { run, came, gone: [...gone, ...left.map(({ id, title }) => ({ id, title, step }))] };
}
