/**
 * Where a finding begins: the layer and the step that every view goes to.
 *
 * @import { Finding, Group, Selection, Step } from "../types.js"
 */
import { rowIndex, showFinding } from "./selection.js";

/**
 * @typedef {object} Target
 * @property {string | null} layer  null where the finding is about no row that is recorded.
 * @property {Step} step
 *
 * @param {Finding} finding
 * @param {Selection} selection
 * @param {Group[]} groups
 * @param {Finding[]} findings
 * @returns {Target}
 */
export function targetOf(finding, selection, groups, findings) {
  const shown = showFinding({ ...selection, row: null }, finding, groups, findings);
  const rows = groups.find((one) => one.group === shown.group)?.rows ?? [];
  const row = rows[rowIndex(rows, shown.row)];
  return { layer: row ? row.layer || row.name : null, step: finding.first_step };
}
