/**
 * Comma-separated values as RFC 4180 writes them, safe to open in a spreadsheet.
 *
 * Names come from whoever wrote the logs. A spreadsheet takes text that begins with one of
 * `= + - @`, or with their full-width forms, for a formula and runs it; so such text gets an
 * apostrophe in front, which spreadsheets read as "this is text". Every text is quoted, because
 * some spreadsheets end a cell at a semicolon or a tab. Numbers are written as they are.
 */

/** @typedef {string | number | null} Cell */

/** First characters that make a spreadsheet evaluate a text. */
const FORMULA = /^\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/;

/**
 * @param {string[]} columns
 * @param {Iterable<Cell[]>} rows
 */
export function csv(columns, rows) {
  const lines = [columns.map(field).join(",")];
  for (const row of rows) lines.push(row.map(field).join(","));
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {Cell} cell null: nothing is known, an empty field. */
function field(cell) {
  if (cell === null) return "";
  if (typeof cell === "number") return number(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return `"${text.replaceAll('"', '""')}"`;
}

/** @param {number} value As Python, R and Julia read it. */
function number(value) {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
}
