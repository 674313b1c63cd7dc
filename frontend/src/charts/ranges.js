/**
 * Which values a scale spans, and where its ticks lie.
 *
 * @import { Heat, Metric } from "../types.js"
 */
import { VALUE } from "../data/decode.js";
import { isFraction } from "../format/numbers.js";

/**
 * @typedef {object} ColorRange
 * @property {number} low  In the value's own unit.
 * @property {number} high
 * @property {boolean} log
 * @property {boolean} clippedLow  Whether values lie below `low`.
 * @property {boolean} clippedHigh
 * @property {boolean} zeros  Whether an exact 0 occurs on a logarithmic scale.
 * @property {boolean} [difference]  Of two runs: colors to both sides of equal.
 * @property {boolean} [diverging]  Whether the middle is neutral and both ends matter.
 */

/** Share of cells at either end that may fall outside the scale, so that an outlier hides nothing. */
const TRIM = 0.01;
const SAMPLE = 5_000;

/**
 * The range of a heat map's colors: 0 to 1 for fractions, else the cells' values without the
 * outermost per cent; at least one decade on a logarithmic scale. On that stand also values that are
 * none of them negative, not all of them parts of 1, and spread over more than two decades: on a linear
 * one, all but the largest look alike.
 *
 * @param {Heat} heat
 * @param {Metric} metric
 * @returns {ColorRange}
 */
export function colorRange(heat, metric) {
  if (isFraction(metric)) {
    return { low: 0, high: 1, log: false, clippedLow: false, clippedHigh: false, zeros: false };
  }
  const { minimum, maximum } = heat.header;
  const log = metric.scale === "log10" || spreads(heat, metric);
  const { sample, zeros } = finiteSample(heat, log);
  if (metric.center !== null && metric.center !== undefined) {
    return around(metric.center, sample, minimum, maximum);
  }
  if (sample.length === 0) {
    const [low, high] = log ? [1e-3, 1] : [0, 1];
    return { low, high, log, clippedLow: false, clippedHigh: false, zeros };
  }
  const at = (/** @type {number} */ part) => sample[Math.round(part * (sample.length - 1))];
  const [low, high] = widen(at(TRIM), at(1 - TRIM), log);
  const clippedLow = minimum !== null && minimum < low && !(log && minimum <= 0);
  return { low, high, log, clippedLow, clippedHigh: maximum !== null && maximum > high, zeros };
}

/** Ratio of the largest to the smallest beyond which a linear scale shows only the largest. */
const SPREAD = 100;

/**
 * @param {Heat} heat
 * @param {Metric} metric
 */
function spreads(heat, { center }) {
  if (center !== null && center !== undefined) return false;
  const { minimum, maximum } = heat.header;
  if (minimum === null || maximum === null || minimum < 0 || maximum <= 1) return false;
  const { sample } = finiteSample(heat, true);
  const at = (/** @type {number} */ part) => sample[Math.round(part * (sample.length - 1))];
  return at(1 - TRIM) > SPREAD * at(TRIM);
}

/** Least reach of a diverging scale, so that what hardly departs looks so: one decade of a trend. */
const LEAST_REACH = 1;

/**
 * A range as wide to both sides of `center`.
 *
 * @param {number} center
 * @param {Float64Array} sample
 * @param {number | null} minimum
 * @param {number | null} maximum
 * @returns {ColorRange}
 */
function around(center, sample, minimum, maximum) {
  const sizes = sample.map((value) => Math.abs(value - center)).sort();
  const reach = Math.max(LEAST_REACH, sizes[Math.round((1 - TRIM) * (sizes.length - 1))] ?? 0);
  const [low, high] = [center - reach, center + reach];
  const clippedLow = minimum !== null && minimum < low;
  const clippedHigh = maximum !== null && maximum > high;
  return { low, high, log: false, clippedLow, clippedHigh, zeros: false, diverging: true };
}

/**
 * One range for the maps of two runs, so that a color means the same in both.
 *
 * @param {Heat} heat
 * @param {ColorRange} here  Its own.
 * @param {ColorRange | null} there  The other's; null without another.
 * @returns {ColorRange}
 */
export function sharedRange(heat, here, there) {
  if (!there) return here;
  const [low, high] = [Math.min(here.low, there.low), Math.max(here.high, there.high)];
  const log = here.log && there.log;
  const zeros = log && (here.zeros || there.zeros);
  const { minimum, maximum } = heat.header;
  const clippedLow = minimum !== null && minimum < low && !(log && minimum <= 0);
  const clippedHigh = maximum !== null && maximum > high;
  return { ...here, low, high, log, zeros, clippedLow, clippedHigh };
}

/**
 * Values of evenly spread cells, in order, and whether any cell lies off a logarithmic scale.
 *
 * @param {Heat} heat
 * @param {boolean} log
 */
function finiteSample({ values, codes, header }, log) {
  const stride = Math.max(1, Math.floor(values.length / SAMPLE));
  const sample = new Float64Array(Math.ceil(values.length / stride));
  let count = 0;
  for (let index = 0; index < values.length; index += stride) {
    const value = values[index];
    if (codes[index] !== VALUE || (log && value <= 0)) continue;
    sample[count] = value;
    count += 1;
  }
  const zeros = log && header.minimum !== null && header.minimum <= 0;
  return {
    sample: sample.subarray(0, count).sort(),
    zeros: zeros && values.some((value, index) => value <= 0 && codes[index] === VALUE),
  };
}

/**
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 * @returns {[number, number]}
 */
function widen(low, high, log) {
  if (!log) {
    if (high > low) return [low, high];
    const pad = Math.abs(low) * 0.1 || 1;
    return [low - pad, high + pad];
  }
  const missing = 1 - Math.log10(high / low);
  if (!(missing > 0)) return [low, high];
  return [low * 10 ** (-missing / 2), high * 10 ** (missing / 2)];
}

/** Where positive values begin on a logarithmic color scale that has to show zeros as well. */
export const ABOVE_ZERO = 0.16;

/**
 * Tells the position of a value on the color scale, 0 to 1. An exact zero on a logarithmic scale is
 * 0, and everything above it is kept clear of it.
 *
 * @param {ColorRange} range
 * @returns {(value: number) => number}
 */
export function positionIn({ low, high, log, zeros }) {
  if (!log) return (value) => clamp((value - low) / (high - low));
  const floor = zeros ? ABOVE_ZERO : 0;
  const [offset, reach] = [Math.log(low), Math.log(high / low)];
  return (value) =>
    value <= 0 ? 0 : floor + (1 - floor) * clamp((Math.log(value) - offset) / reach);
}

/**
 * Called for every cell of a map, mostly before it is compiled: no calls of its own.
 *
 * @param {number} part
 */
function clamp(part) {
  if (part < 0) return 0;
  return part > 1 ? 1 : part;
}

/**
 * Round ticks within `[low, high]`, at most `count`.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @param {boolean} [whole] Only integers, as for steps.
 * @returns {number[]}
 */
export function linearTicks(low, high, count, whole = false) {
  if (!(high > low) || !Number.isFinite(high - low)) return Number.isFinite(low) ? [low] : [];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  step = step ?? 10 * power;
  if (whole) step = Math.max(1, step === 2.5 * power && power === 1 ? 5 : step);
  const ticks = multiples(step, low, high, 0, 1e-9);
  return [...new Set(ticks.map((tick) => Number(tick.toPrecision(12))))];
}

/**
 * The multiples of `step` within `[low, high]`, moved by `offset`. Where a step is less than the last
 * bit of these numbers, one more changes nothing: so they are counted.
 *
 * @param {number} step
 * @param {number} low
 * @param {number} high
 * @param {number} offset
 * @param {number} slack  How far beyond the ends they may be, in steps.
 */
function multiples(step, low, high, offset, slack) {
  const first = Math.ceil((low + offset) / step - slack);
  const found = [];
  for (let nth = 0; nth <= (high - low) / step + 1; nth += 1) {
    const tick = (first + nth) * step - offset;
    if (tick <= high + step * slack) found.push(tick);
  }
  return found;
}

/** What stands in a decade, ever finer. */
const MARKS = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5], [1, 1.5, 2, 3, 4, 5, 7]];

/**
 * Powers of ten within `[low, high]`, thinned to at most `count`; where they are fewer than three,
 * what stands between them as well. A short axis may have three all the same.
 *
 * @param {number} low > 0
 * @param {number} high
 * @param {number} count
 * @returns {number[]}
 */
export function logTicks(low, high, count) {
  if (!(low > 0) || !(high > low) || high === Infinity) return low > 0 ? [low] : [];
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  const within = (/** @type {number[]} */ marks) => {
    const found = [];
    for (let power = first; power <= last; power += 1) {
      found.push(...marks.map((mark) => Number(`${mark}e${power}`)));
    }
    return found.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  };
  const most = Math.max(count, 3);
  const decades = within(MARKS[0]);
  const stride = Math.ceil(decades.length / most);
  if (decades.length > 2) return decades.filter((_, index) => index % stride === 0);
  // Over a factor of three even steps are nearly as even on this scale.
  const even = high < 3 * low ? [linearTicks(low, high, most - 1)] : [];
  const fitting = [...MARKS.map(within), ...even].filter(
    ({ length }) => length > 1 && length <= most,
  );
  const enough = fitting.find(({ length }) => length >= Math.max(3, most / 2));
  return enough ?? fitting.at(-1) ?? linearTicks(low, high, most);
}

const HOUR = 3600;
const DURATIONS = [
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  300,
  600,
  900,
  1800,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
  48 * HOUR,
  96 * HOUR,
  168 * HOUR,
];

/**
 * Ticks for a time axis, in seconds.
 *
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @param {number} [offset] Seconds by which local time is ahead, so that ticks fall on full hours.
 */
export function timeTicks(low, high, count, offset = 0) {
  const rough = (high - low) / Math.max(1, count);
  const step = DURATIONS.find((size) => size >= rough);
  if (step === undefined || !(high > low)) return linearTicks(low, high, count);
  return multiples(step, low, high, offset, 0);
}
