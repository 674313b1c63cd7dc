/**
 * Colors of the drawings, from the style sheet: they follow the theme.
 *
 * @typedef {object} Colors
 * @property {string[]} loss  From the lowest loss to the highest.
 * @property {string} edge
 * @property {string} grid
 * @property {string} path
 * @property {string} plate  Behind the path and its labels.
 * @property {string} ink
 * @property {string} unknown
 * @property {string} unknownMark
 * @property {string} font
 */
import { COLORS } from "./scale.js";

/**
 * @param {HTMLElement} element
 * @returns {Colors}
 */
export function readColors(element) {
  const style = getComputedStyle(element);
  const get = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    loss: Array.from({ length: COLORS }, (_, at) => get(`--loss-${at}`)),
    edge: get("--loss-edge"),
    grid: get("--line"),
    path: get("--critical"),
    plate: get("--card"),
    ink: get("--ink"),
    unknown: get("--critical-ground"),
    unknownMark: get("--critical"),
    font: `11px ${get("--font") || "sans-serif"}`,
  };
}
