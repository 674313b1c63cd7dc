/**
 * One scale for all surfaces on screen: levels of the loss, evenly spaced on its logarithm.
 *
 * @import { Plane } from "./types.js"
 */

/** Colors of the loss levels; the style sheet has so many. */
export const COLORS = 9;
/** Losses below this are drawn as this: a logarithm needs a positive number. */
export const FLOOR = 1e-6;
/** Of the losses on screen; what is higher is drawn in the highest color. */
const HIGHEST = 0.98;

/**
 * @typedef {object} Scale
 * @property {number[]} levels  Ascending, one fewer than colors.
 * @property {number} low  Loss at the bottom of the surface.
 * @property {number} high  Loss at its top.
 */

/**
 * The scale of several planes together.
 *
 * @param {Plane[]} planes
 * @returns {Scale | null} null without a finite loss.
 */
export function scaleOf(planes) {
  const losses = planes
    .flatMap((plane) => plane.values.loss)
    .filter((loss) => loss !== null)
    .map((loss) => Math.max(FLOOR, /** @type {number} */ (loss)))
    .sort((a, b) => a - b);
  if (!losses.length) return null;
  const low = losses[0];
  const top = losses[Math.min(losses.length - 1, Math.floor(HIGHEST * losses.length))];
  const high = top > low * 1.001 ? top : low * 1.1;
  const span = Math.log(high / low);
  const levels = Array.from({ length: COLORS - 1 }, (_, at) =>
    round(low * Math.exp((span * (at + 1)) / COLORS)),
  );
  return { levels: [...new Set(levels)], low, high };
}

/**
 * Two significant digits, three where that would make neighbors equal.
 *
 * @param {number} value
 */
function round(value) {
  return Number(value.toPrecision(value < 10 ? 2 : 3));
}

/**
 * Height of a loss on the surface: 0 at the scale's bottom, 1 at its top, on the logarithm.
 *
 * @param {number | null} loss
 * @param {Scale} scale
 * @returns {number} 1 for a loss that is not finite.
 */
export function heightOf(loss, { low, high }) {
  if (loss === null) return 1;
  const part = Math.log(Math.max(FLOOR, loss) / low) / Math.log(high / low);
  return Math.min(1, Math.max(0, part));
}

/**
 * Which color a loss has: 0 the lowest.
 *
 * @param {number | null} loss
 * @param {Scale} scale
 */
export function colorIndex(loss, { levels }) {
  if (loss === null) return levels.length;
  const at = levels.findIndex((level) => loss < level);
  return at < 0 ? levels.length : at;
}
