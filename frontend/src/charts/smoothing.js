/**
 * Smoothing of curves that may be recorded unevenly, on a logarithmic scale or not; and which need it.
 */

/** Share of the steps that stand in gaps no longer than the usual one. */
const USUAL = 2 / 3;
/** Share of all steps that one gap counts for at most: a pause says nothing of how records lie. */
const PAUSE = 0.1;

/** The usual gap is no more than this share of the way so far: a training begins fast. */
const EARLY = 0.1;

/**
 * Exponential moving average over steps, on the scale that is drawn: the average a curve would have
 * that holds each value over the whole gap before it. A value `gap` steps after the one before keeps
 * `p = weight ** (gap / usual)` of the past, and weighs `1 - p` itself:
 *
 *     sum = p sum + (1 - p) value,   weights = p weights + 1 - p,   drawn: sum / weights
 *
 * So a stretch that is recorded ten times as often is as smooth a line as the others, not a saw, and
 * after a long gap the past is forgotten. `usual` is such that two of three steps stand in gaps no
 * longer; of evenly recorded values each keeps `weight` of the past, which is TensorBoard's smoothing.
 * Toward the beginning it is shorter, a tenth of the steps so far, but no shorter than the gap: a loss
 * that falls or explodes in the first steps is followed.
 *
 * Points that are not finite are passed through and leave the average alone; a constant series is
 * returned as it is, without rounding.
 *
 * @param {(number | null)[]} values  `[n]`; above 0 where `log`.
 * @param {number} weight Of the past over the usual gap, 0 (none) to below 1.
 * @param {number[]} steps `[n]`, where the values were recorded, increasing.
 * @param {boolean} [log]
 * @returns {(number | null)[]}
 */
export function smooth(values, weight, steps, log = false) {
  const first = values.findIndex(isValue);
  const constant = values.every((value) => value === null || value === values[first]);
  if (weight <= 0 || constant) return values;
  const usual = usualGap(steps) || 1;
  // Before the first record, as much as after it.
  let last = first ? steps[first - 1] : 2 * steps[0] - steps[1];
  let [sum, weights] = [0, 0];
  return values.map((value, index) => {
    if (!isValue(value)) return value;
    const gap = Math.max(0, steps[index] - last);
    const early = Math.max(gap, EARLY * (steps[index] - steps[0]));
    const past = weight ** (gap / Math.min(usual, early) || 0);
    last = steps[index];
    sum = sum * past + (1 - past) * (log ? Math.log(value) : value);
    weights = weights * past + 1 - past;
    if (!weights) return value;
    return log ? Math.exp(sum / weights) : sum / weights;
  });
}

/** @param {number | null} value @returns {value is number} */
function isValue(value) {
  return value !== null && Number.isFinite(value);
}

/**
 * The gap between records that two of three steps stand in, or in a shorter one.
 *
 * @param {number[]} steps
 */
function usualGap(steps) {
  const most = PAUSE * (steps[steps.length - 1] - steps[0]);
  const gaps = steps.slice(1).map((step, index) => step - steps[index]);
  let left = USUAL * gaps.reduce((sum, gap) => sum + Math.min(gap, most), 0);
  for (const gap of gaps.sort((a, b) => a - b)) {
    left -= Math.min(gap, most);
    if (left <= 0) return gap;
  }
  return 0;
}

/** Parts of a curve's width, some ten pixels of a small chart each. */
const STRETCHES = 24;
/** A curve cannot be followed where it crosses the height it has in one of them this often ... */
const CROSSINGS = 4;
/** ... and goes this much of the height it has in all, up and down together. */
const WAY = 0.5;

/**
 * Whether a curve goes up and down too often to be followed somewhere, a solid block when drawn. A
 * spike goes up once and down once: it is none.
 *
 * @param {(number | null)[]} values  `[n]`; above 0 where `log`.
 * @param {number[]} steps `[n]`
 * @param {boolean} log
 */
export function isSolid(values, steps, log) {
  const width = (steps[steps.length - 1] - steps[0]) / (STRETCHES - 1e-6);
  let [low, high] = [Infinity, -Infinity];
  /** Of each stretch: its lowest and highest, the last there, and the way up and down in it. */
  const parts = Array.from({ length: STRETCHES }, () => [Infinity, -Infinity, Number.NaN, 0]);
  values.forEach((value, index) => {
    const part = parts[Math.floor((steps[index] - steps[0]) / width)];
    if (!isValue(value) || !part) return;
    const height = log ? Math.log(value) : value;
    part[0] = Math.min(part[0], height);
    part[1] = Math.max(part[1], height);
    part[3] += Math.abs(height - part[2]) || 0;
    part[2] = height;
    low = Math.min(low, height);
    high = Math.max(high, height);
  });
  return parts.some(
    ([from, to, , way]) => way > Math.max(CROSSINGS * (to - from), WAY * (high - low), 0),
  );
}

/** How far to both sides a solid curve is averaged, as a share of its width. */
const REACH = 1 / 32;

/**
 * The course of a curve that is solid somewhere: at each value the mean of the middle half of those
 * around it, in a stretch of steps. Unlike a moving average it trails behind nothing, and a spike,
 * which the pale curve shows, does not bend it.
 *
 * @param {(number | null)[]} values  `[n]`
 * @param {number[]} steps `[n]`, increasing.
 * @returns {(number | null)[]} null where there is no value.
 */
export function trendLine(values, steps) {
  const reach = REACH * (steps[steps.length - 1] - steps[0]);
  /** Those around, in order. @type {number[]} */
  const around = [];
  let [from, to] = [0, 0];
  return values.map((value, index) => {
    for (; steps[to] <= steps[index] + reach; to += 1) {
      const entering = values[to];
      if (isValue(entering)) around.splice(placeIn(around, entering), 0, entering);
    }
    for (; steps[from] < steps[index] - reach; from += 1) {
      const leaving = values[from];
      if (isValue(leaving)) around.splice(placeIn(around, leaving), 1);
    }
    if (!isValue(value)) return null;
    const quarter = around.length >> 2;
    const middle = around.slice(quarter, around.length - quarter);
    return middle.reduce((sum, one) => sum + one / middle.length, 0);
  });
}

/**
 * The first place in an ordered list that `value` may stand at.
 *
 * @param {number[]} ordered
 * @param {number} value
 */
function placeIn(ordered, value) {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
