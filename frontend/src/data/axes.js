/**
 * Places the points of series on one time axis: optimizer steps, seconds since the run began, or
 * wall time.
 *
 * Series that count epochs have no step of their own. They are placed by their wall time, between
 * the records of a series that has both; where wall times cannot carry that, they are left out of
 * the step axis, and the page says so.
 *
 * @import { Series, XAxis } from "../types.js"
 */
import { stepNumber } from "../format/steps.js";

/**
 * @typedef {object} Placement
 * @property {Map<string, number[]>} x  By series name; a series that cannot be placed is missing.
 * @property {string[]} unplaced  Names of series left out.
 * @property {boolean} byWallTime  Whether epochs were placed by their wall time.
 * @property {boolean} epochs  Whether the axis counts epochs, because nothing counts steps.
 * @property {(step: number) => number} fromStep  NaN where it cannot be told.
 * @property {(x: number) => number} toStep
 */

/**
 * @param {Series[]} series
 * @param {XAxis} axis
 * @returns {Placement}
 */
export function place(series, axis) {
  const clock = referenceClock(series);
  const epochs = axis === "step" && series.length > 0 && series.every((s) => s.axis === "epoch");
  const start = axis === "relative" ? startTime(series) : 0;
  /** @type {Map<string, number[]>} */
  const x = new Map();
  const unplaced = [];
  let byWallTime = false;
  for (const one of series) {
    const counts = one.axis !== "epoch" || epochs;
    if (axis === "step" && counts) {
      x.set(one.name, one.steps.map(stepNumber));
    } else if (axis === "step") {
      if (clock && isUsableClock(one.wall_times)) {
        const { times, steps } = clock;
        x.set(
          one.name,
          one.wall_times.map((time) => interpolate(times, steps, time)),
        );
        byWallTime = true;
      } else unplaced.push(one.name);
    } else if (isUsableClock(one.wall_times)) {
      x.set(
        one.name,
        one.wall_times.map((time) => Number(time) - start),
      );
    } else unplaced.push(one.name);
  }
  return { x, unplaced, byWallTime, epochs, ...conversions(axis, clock, start) };
}

/**
 * @param {XAxis} axis
 * @param {{steps: number[], times: number[]} | null} clock
 * @param {number} start
 */
function conversions(axis, clock, start) {
  const same = (/** @type {number} */ value) => value;
  if (axis === "step") return { fromStep: same, toStep: same };
  return {
    fromStep: (/** @type {number} */ step) =>
      clock ? interpolate(clock.steps, clock.times, step) - start : Number.NaN,
    toStep: (/** @type {number} */ x) =>
      clock ? interpolate(clock.times, clock.steps, x + start) : Number.NaN,
  };
}

/**
 * The longest series that counts steps and whose wall times only grow.
 *
 * @param {Series[]} series
 */
function referenceClock(series) {
  let best = null;
  for (const one of series) {
    if (one.axis === "epoch" || one.steps.length < 2 || !isUsableClock(one.wall_times)) continue;
    if (!best || one.steps.length > best.steps.length) best = one;
  }
  return best && { steps: best.steps.map(stepNumber), times: best.wall_times.map(Number) };
}

/**
 * Whether wall times are all there, plausible and never go back.
 *
 * @param {(number | null)[]} times
 */
export function isUsableClock(times) {
  return (
    times.length > 0 &&
    times.every(
      (time, index) =>
        time !== null &&
        Number.isFinite(time) &&
        time > 0 &&
        (index === 0 || time >= Number(times[index - 1])),
    )
  );
}

/** @param {Series[]} series */
function startTime(series) {
  const starts = series
    .filter((one) => isUsableClock(one.wall_times))
    .map((one) => Number(one.wall_times[0]));
  return starts.length ? Math.min(...starts) : 0;
}

/**
 * The value of `to` where `from` is `at`; clamped to the ends; NaN for a time that is missing.
 *
 * @param {number[]} from Never decreasing.
 * @param {number[]} to
 * @param {number | null} at
 */
function interpolate(from, to, at) {
  if (at === null || !Number.isFinite(at)) return Number.NaN;
  if (at <= from[0]) return to[0];
  const last = from.length - 1;
  if (at >= from[last]) return to[last];
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= at) low = middle;
    else high = middle;
  }
  const width = from[high] - from[low];
  return width > 0 ? to[low] + ((to[high] - to[low]) * (at - from[low])) / width : to[high];
}
