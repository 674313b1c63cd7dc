/**
 * Where a tensor held NaN or infinities: a statistic of it is then that of the finite entries, and
 * says little. By the same columns as the server's heat map.
 *
 * @import { Column } from "../types.js"
 */

/**
 * @param {Column[]} columns  Of the row.
 * @param {string} name  Of a statistic.
 * @returns {(index: number) => "NaN" | "Infinity" | null} By record; null too where the statistic
 *   is a share of all entries, or counts steps.
 */
export function corruptionOf(columns, name) {
  const [family] = name.split("_");
  const families = family === "update" ? ["gradient", "variable"] : [family];
  const told = (/** @type {string[]} */ ...endings) => {
    const wanted = families.flatMap((one) => endings.map((end) => `${one}_${end}`));
    return columns.filter((column) => wanted.includes(column.name));
  };
  const nan = told("nan_fraction", "nonfinite_fraction", "nonfinite_steps");
  const infinite = told("inf_fraction");
  const itself = /_(fraction|steps)$/.test(name);
  const seen = (/** @type {Column[]} */ of, /** @type {number} */ index) =>
    !itself && of.some(({ low }) => Number(low[index]) > 0);
  return (index) => (seen(nan, index) ? "NaN" : seen(infinite, index) ? "Infinity" : null);
}
