/**
 * Numbers as text: the one place that decides how many digits a person sees. The Python package
 * writes them alike (`core/text/numbers.py`); `tests/text_vectors.json` holds both to it.
 *
 * @import { StrictNumber } from "../types.js"
 */

/**
 * A number of strict JSON, where NaN and infinities are text; null stays null.
 *
 * @param {StrictNumber | null | undefined} value
 * @returns {number | null}
 */
export function looseNumber(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "number" ? value : Number(value);
}

/**
 * Three significant digits, grouped integers, exponents only where zeros would have to be counted.
 *
 * `0.00012` -> "1.2e-4", `6112` -> "6,112", `0.25` -> "0.25", NaN -> "NaN", Infinity -> "Inf".
 *
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function formatNumber(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (value === 0) return "0";
  return (value < 0 ? "-" : "") + formatSize(Math.abs(value), digits);
}

/**
 * @param {number} size Above 0.
 * @param {number} digits
 */
function formatSize(size, digits) {
  if (!Number.isFinite(size)) return "Inf";
  if (size >= 1e6 || size < 1e-3) return scientific(size, digits);
  if (Number.isInteger(size) || size >= 10 ** digits) return grouped(String(Math.round(size)));
  return grouped(String(Number(size.toPrecision(digits))));
}

/** Thousands of the whole part in groups. @param {string} text */
function grouped(text) {
  return text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ","));
}

/**
 * A fraction as per cent: `0.625` -> "62.5%"; never rounds to 0 or 100 what is not.
 *
 * @param {number | null | undefined} fraction
 */
export function formatPercent(fraction) {
  if (fraction === null || fraction === undefined) return "–";
  if (!Number.isFinite(fraction)) return formatNumber(fraction);
  const value = fraction * 100;
  if (value > 0 && value < 0.01) return "less than 0.01%";
  if (value > 99.9 && value < 100) return "more than 99.9%";
  return `${formatNumber(value)}%`;
}

/**
 * How sure something is, in whole per cent: certainty to a digit more would be a claim of its own.
 *
 * @param {number} confidence From 0 to 1.
 */
export function formatConfidence(confidence) {
  return formatPercent(Math.round(confidence * 100) / 100);
}

/**
 * Whether a statistic is a fraction, and so is read in per cent and drawn from 0 to 1.
 *
 * @param {{name: string, unit: string, scale: string}} statistic
 */
export function isFraction({ name, unit, scale }) {
  return unit === "1" && scale === "linear" && /(_fraction|_missing)$/.test(name);
}

/**
 * @param {number | null | undefined} value
 * @param {{name: string, unit: string, scale: string}} statistic
 */
export function formatValue(value, statistic) {
  return isFraction(statistic) ? formatPercent(value) : formatNumber(value);
}

/**
 * How much a second value differs from a first: `2` in orders of magnitude is "×100", `-2` "÷100";
 * of a fraction `0.25` is "+25%", of anything else "+0.25".
 *
 * @param {number} value Infinite in orders: from exactly 0, or to it.
 * @param {{name: string, unit: string, scale: string}} statistic
 */
export function formatDifference(value, statistic) {
  if (value === 0) return "equal";
  if (statistic.scale === "log10") return formatOrders(value);
  const signed = isFraction(statistic)
    ? formatPercent(Math.abs(value))
    : formatNumber(Math.abs(value));
  return `${value > 0 ? "+" : "-"}${signed}`;
}

/** @param {number} orders */
export function formatOrders(orders) {
  if (Number.isNaN(orders)) return "–";
  if (!Number.isFinite(orders)) return orders > 0 ? "from 0" : "to 0";
  return `${orders < 0 ? "÷" : "×"}${formatTimes(orders)}`;
}

/**
 * How many times the larger is the smaller: of `2` as of `-2` orders of magnitude "100".
 *
 * @param {number} orders
 */
export function formatTimes(orders) {
  return formatNumber(Number((10 ** Math.abs(orders)).toPrecision(3)));
}

/**
 * A tick of an axis: the shortest form that is exact for round numbers.
 *
 * @param {number} value
 */
export function formatTick(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) {
    return scientific(value, 6);
  }
  return grouped(String(Number(value.toPrecision(6))));
}

/**
 * `1` -> "1st", `12` -> "12th", `23` -> "23rd".
 *
 * @param {number} place
 */
export function ordinal(place) {
  const teen = place % 100 > 10 && place % 100 < 14;
  const ending = teen ? "th" : (["th", "st", "nd", "rd"][place % 10] ?? "th");
  return `${formatNumber(place, 9)}${ending}`;
}

/**
 * `1` -> "1 finding", `2` -> "2 findings".
 *
 * @param {number} count
 * @param {string} noun
 * @param {string} [plural]
 */
export function counted(count, noun, plural = `${noun}s`) {
  return `${grouped(String(count))} ${count === 1 ? noun : plural}`;
}

/**
 * `1.20e+5` without what says nothing: "1.2e5".
 *
 * @param {number} value
 * @param {number} digits
 */
function scientific(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return `${short}e${Number(exponent)}`;
}
