/**
 * Which runs a range of the table holds. Apart from the table itself: the page needs it to open.
 *
 * @import { TableRow } from "./runs_table.js"
 */

/**
 * The runs between two of them as they stand in the table, both included.
 *
 * @param {TableRow[]} rows
 * @param {string | null} from
 * @param {string} to
 */
export function between(rows, from, to) {
  const names = rows.flatMap((row) => (row.kind === "run" ? [row.run.run] : []));
  const ends = [names.indexOf(from ?? to), names.indexOf(to)].sort((a, b) => a - b);
  return ends[0] < 0 ? [to] : names.slice(ends[0], ends[1] + 1);
}
