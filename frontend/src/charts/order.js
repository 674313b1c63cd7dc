/**
 * Which rows a heat map shows, and in which order.
 *
 * @import { Order, Row } from "../types.js"
 */
import { OF_VALUE } from "./pool.js";

/**
 * @typedef {{rank: number, badness: number, cell: number}} WorstCell
 */

/**
 * @param {Row[]} rows In order of depth.
 * @param {Order} order
 * @param {string} filter See `matcher`.
 * @param {WorstCell[] | null} worst By row; null while the map is loading.
 * @param {Int32Array | null} [first] The cell in which each row first leaves its limits, -1 for none.
 * @returns {number[]} Row indices.
 */
export function shownRows(rows, order, filter, worst, first = null) {
  const matches = matcher(filter);
  const shown = rows.flatMap((row, index) => (matches(row.name) ? [index] : []));
  if (order === "name") {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    return shown.sort((a, b) => compare(rows[a].name, rows[b].name) || a - b);
  }
  if (order === "crossing" && first && first.length === rows.length) {
    const at = (/** @type {number} */ row) => (first[row] < 0 ? Infinity : first[row]);
    return shown.sort((a, b) => (at(a) === at(b) ? a - b : at(a) - at(b)));
  }
  if (order === "worst" && worst && worst.length === rows.length) {
    return shown.sort((a, b) => compareWorst(worst[a], worst[b]) || a - b);
  }
  return shown;
}

/**
 * Worst first; of two equally non-finite rows the one that became so earlier.
 *
 * @param {WorstCell} a
 * @param {WorstCell} b
 */
function compareWorst(a, b) {
  if (a.rank !== b.rank) return b.rank - a.rank;
  if (a.rank > OF_VALUE) return a.cell - b.cell;
  return a.badness === b.badness ? 0 : b.badness - a.badness;
}

/**
 * A test for names: words separated by spaces must all occur, `|` separates alternatives, `*`
 * stands for anything, case does not matter. Linear in the name's length: no regular expressions
 * from what a person types.
 *
 * @param {string} filter
 * @returns {(name: string) => boolean}
 */
export function matcher(filter) {
  const alternatives = filter
    .toLowerCase()
    .split("|")
    .map((part) => part.split(/\s+/).filter(Boolean))
    .filter((terms) => terms.length > 0)
    .map((terms) => terms.map((term) => term.split("*").filter(Boolean)));
  if (alternatives.length === 0) return () => true;
  return (name) => {
    const text = name.toLowerCase();
    return alternatives.some((terms) => terms.every((pieces) => inOrder(text, pieces)));
  };
}

/**
 * Whether `pieces` occur in `text` one after the other.
 *
 * @param {string} text
 * @param {string[]} pieces
 */
function inOrder(text, pieces) {
  let from = 0;
  for (const piece of pieces) {
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return true;
}
