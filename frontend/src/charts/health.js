/**
 * A heat map seen by health: each cell's distance from the limits that rules declare for its row.
 * No canvas here.
 *
 * @import { Band, Heat, Metric } from "../types.js"
 */
import { INFINITE, NAN, NO_LIMIT, VALUE } from "../data/decode.js";
import { isFraction } from "../format/numbers.js";

/**
 * @typedef {object} Health
 * @property {Heat} heat  Its values are distances (see `distanceOf`), its codes may be NO_LIMIT.
 * @property {(Band | null)[]} bands  `[rows]`
 * @property {Int32Array} first  `[rows]`, the cell in which a row first leaves its limits or is no
 *   longer finite; -1 for a row that never does, and for one without limits.
 * @property {Int32Array} place  `[rows]`, 1 for the row that leaves its limits first; 0 for one that
 *   never does. Rows that do so in the same cell share a place.
 */

/** Where the steps of the ramp end, as distances: 2, 10, 100 times the limit. */
const ENDS = [Math.log10(2), 1, 2];
/** The same for a fraction: how much of the way from its limit to the end it has gone. */
const SHARES = [0.25, 0.5, 0.75];

/**
 * How far outside its band a value is: 0 within, positive above, negative below. The size is log10
 * of how many times the value is its limit; what has no number of times (0 below a limit) is as far
 * as can be. A fraction cannot be 100 times its limit, so the way to 0 or 1 is divided instead: a
 * quarter of it counts as 2 times, half as 10, three quarters as 100.
 *
 * @param {number} value
 * @param {Band} band
 * @param {boolean} fraction
 */
export function distanceOf(value, { low, high }, fraction) {
  if (high !== null && value > high) {
    if (fraction) return farOf((value - high) / (1 - high));
    return high > 0 ? Math.log10(value / high) : FARTHEST;
  }
  if (low !== null && value < low) {
    if (fraction) return -farOf((low - value) / low);
    return value > 0 ? -Math.log10(low / value) : -FARTHEST;
  }
  return 0;
}

/** Of a value for which no number of times can be given. */
const FARTHEST = 40;

/** @param {number} share */
function farOf(share) {
  const at = SHARES.findIndex((end) => share <= end);
  const step = at < 0 ? SHARES.length : at;
  const [from, to] = [SHARES[step - 1] ?? 0, SHARES[step] ?? 1];
  const [low, high] = [ENDS[step - 1] ?? 0, ENDS[step] ?? ENDS[step - 1] + 1];
  return low + ((share - from) / (to - from)) * (high - low);
}

/**
 * The step of the ramp: 0 within the band, to 4 above, to -4 below.
 *
 * @param {number} distance
 */
export function levelOf(distance) {
  if (distance === 0) return 0;
  const size = Math.abs(distance);
  const level = size <= ENDS[0] ? 1 : size <= ENDS[1] ? 2 : size <= ENDS[2] ? 3 : 4;
  return distance > 0 ? level : -level;
}

/**
 * A distance whose step of the ramp is `level`: well within it, as cells are float32.
 *
 * @param {number} level
 */
export function distanceOfLevel(level) {
  const size = Math.abs(level);
  return size === 0
    ? 0
    : Math.sign(level) * (size <= ENDS.length ? 0.75 * ENDS[size - 1] : FARTHEST);
}

/**
 * @param {Heat} heat
 * @param {Metric} metric
 * @returns {Health | null} null where no row has a limit.
 */
export function healthOf(heat, metric) {
  const { bands: declared = [], row_bands: places = [] } = heat.header;
  if (declared.length === 0 || places.length !== heat.rows) return null;
  const bands = places.map((place) => declared[place] ?? null);
  const values = new Float32Array(heat.values.length);
  const codes = Uint8Array.from(heat.codes);
  const first = new Int32Array(heat.rows).fill(-1);
  const fraction = isFraction(metric);
  for (let row = 0; row < heat.rows; row += 1) {
    const band = bands[row];
    const from = row * heat.cells;
    for (let at = from; at < from + heat.cells; at += 1) {
      const code = codes[at];
      if (code === VALUE && band) values[at] = distanceOf(heat.values[at], band, fraction);
      else if (code === VALUE) codes[at] = NO_LIMIT;
      const outside = code === NAN || code === INFINITE || values[at] !== 0;
      if (band && first[row] < 0 && outside) first[row] = at - from;
    }
  }
  return { heat: { ...heat, values, codes }, bands, first, place: placesOf(first) };
}

/** @param {Int32Array} first */
function placesOf(first) {
  const cells = [...first].filter((cell) => cell >= 0).sort((a, b) => a - b);
  return first.map((cell) => (cell < 0 ? 0 : cells.indexOf(cell) + 1));
}

/**
 * Which limit rows leave, for a heading: "above" or "below" where all of them do so on that side.
 *
 * @param {Health} health
 * @returns {{side: "above" | "below" | "outside", limit: number | null}} `limit`: the one they have in
 *   common; null without one.
 */
export function crossingOf({ heat, bands, first }) {
  const sides = new Set();
  const limits = new Set();
  first.forEach((cell, row) => {
    const band = bands[row];
    if (cell < 0 || !band) return;
    const at = row * heat.cells + cell;
    if (heat.codes[at] !== VALUE) return;
    const above = heat.values[at] > 0;
    sides.add(above ? "above" : "below");
    limits.add(above ? band.high : band.low);
  });
  if (sides.size !== 1) return { side: "outside", limit: null };
  return { side: [...sides][0], limit: limits.size === 1 ? [...limits][0] : null };
}
