/**
 * Smoothing of curves that may be recorded unevenly, on a logarithmic scale or not.
 */

/**
 * Exponential moving average on the scale that is drawn, corrected for its start at zero (the
 * weights of a short history sum to one). After a gap longer than the usual one the past weighs less,
 * as if the points between had been there: else the curve would trail behind what was recorded by
 * many steps. A dense stretch is averaged point by point. Points that are not finite are passed
 * through and leave the average alone; a constant series is returned as it is, without rounding.
 *
 * @param {(number | null)[]} values  `[n]`; above 0 where `log`.
 * @param {number} weight Of the past over the usual gap, 0 (none) to below 1.
 * @param {number[]} steps `[n]`, where the values were recorded, increasing.
 * @param {boolean} [log]
 * @returns {(number | null)[]}
 */
export function smooth(values, weight, steps, log = false) {
  const first = values.find((value) => value !== null && Number.isFinite(value));
  const constant = values.every((value) => value === null || value === first);
  if (weight <= 0 || constant) return values;
  const gaps = steps.slice(1).map((step, index) => step - steps[index]);
  const usual = gaps.sort((a, b) => a - b)[gaps.length >> 1] || 1;
  let [sum, weights, last] = [0, 0, steps[0]];
  return values.map((value, index) => {
    if (value === null || !Number.isFinite(value)) return value;
    const past = weight ** Math.max(1, (steps[index] - last) / usual);
    last = steps[index];
    sum = sum * past + (1 - past) * (log ? Math.log(value) : value);
    weights = weights * past + 1 - past;
    return log ? Math.exp(sum / weights) : sum / weights;
  });
}
