/**
 * A scale for values of both signs whose sizes differ by orders of magnitude: linear near zero,
 * logarithmic beyond (the inverse hyperbolic sine). Where sizes are alike it is plainly linear.
 *
 * @typedef {object} SignedScale
 * @property {number} low
 * @property {number} high
 * @property {number | null} unit  Size below which the scale is nearly linear; null: everywhere.
 */
import { linearTicks } from "./ranges.js";

/** Largest over typical size from which a linear scale would flatten what is typical. */
const FAR = 40;
const MOST_DECADES = 8;
const MARGIN = 0.04;

/**
 * The scale that holds `[low, high]`, with `typical` sizes told apart.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} typical  Size of most values; 0 where unknown.
 * @returns {SignedScale}
 */
export function signedScale(low, high, typical) {
  if (!(high > low)) {
    const pad = Math.abs(low) * 0.5 || 1;
    return Number.isFinite(low)
      ? { low: low - pad, high: low + pad, unit: null }
      : { low: -1, high: 1, unit: null };
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  const unit =
    typical > 0 && size > FAR * typical ? Math.max(typical, size * 10 ** -MOST_DECADES) : null;
  const [bottom, top] = [bend(low, unit), bend(high, unit)];
  const pad = (top - bottom) * MARGIN;
  return { low: unbend(bottom - pad, unit), high: unbend(top + pad, unit), unit };
}

/** @param {number} value @param {number | null} unit */
function bend(value, unit) {
  return unit === null ? value : Math.asinh(value / unit);
}

/** @param {number} place @param {number | null} unit */
function unbend(place, unit) {
  return unit === null ? place : Math.sinh(place) * unit;
}

/**
 * 0 at the scale's low end, 1 at its high end.
 *
 * @param {number} value
 * @param {SignedScale} scale
 */
export function signedPosition(value, { low, high, unit }) {
  const bottom = bend(low, unit);
  return (bend(value, unit) - bottom) / (bend(high, unit) - bottom);
}

/**
 * Round ticks, at most about `count`: zero, and powers of ten of both signs where it is bent.
 *
 * @param {SignedScale} scale
 * @param {number} count
 * @returns {number[]} Increasing.
 */
export function signedTicks(scale, count) {
  const { low, high, unit } = scale;
  if (unit === null) return linearTicks(low, high, count);
  const zero = signedPosition(0, scale);
  // A power that would stand on the label of zero is left out.
  const inside = (/** @type {number} */ value) =>
    value >= low &&
    value <= high &&
    (value === 0 || Math.abs(signedPosition(value, scale) - zero) * count > 0.6);
  const first = Math.ceil(Math.log10(unit));
  const last = Math.floor(Math.log10(Math.max(Math.abs(low), Math.abs(high))));
  const sides = low < 0 && high > 0 ? 2 : 1;
  const stride = Math.max(1, Math.ceil(((last - first + 1) * sides) / Math.max(1, count - 1)));
  const sizes = [];
  for (let power = last; power >= first; power -= stride) sizes.push(Number(`1e${power}`));
  const ticks = [...sizes.map((size) => -size), 0, ...sizes.reverse()];
  return ticks.filter(inside);
}
