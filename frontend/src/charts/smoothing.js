/**
 * Smoothing of curves, as TensorBoard's scalar charts do it.
 */

/**
 * Exponential moving average, corrected for its start at zero (the weights of a short history sum
 * to one). Points that are not finite are passed through and leave the average alone; a constant
 * series is returned as it is, without rounding.
 *
 * @param {(number | null)[]} values
 * @param {number} weight Of the past, 0 (none) to below 1.
 * @returns {(number | null)[]}
 */
export function smooth(values, weight) {
  const first = values.find((value) => value !== null && Number.isFinite(value));
  const constant = values.every((value) => value === null || value === first);
  if (weight <= 0 || constant) return values;
  let average = 0;
  let count = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return value;
    average = average * weight + (1 - weight) * value;
    count += 1;
    return average / (1 - weight ** count);
  });
}
