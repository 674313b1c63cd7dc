/**
 * Steps and times as text. Steps beyond 2^53 arrive as text and are shown digit by digit.
 *
 * @import { Step } from "../types.js"
 */

/**
 * A step as a number, to place it on an axis; beyond 2^53 only nearly exact.
 *
 * @param {Step | null | undefined} step
 */
export function stepNumber(step) {
  return step === null || step === undefined ? Number.NaN : Number(step);
}

/**
 * `6112` -> "6,112"; "9223372036854775807" -> "9,223,372,036,854,775,807".
 *
 * @param {Step} step
 */
export function formatStep(step) {
  const text = typeof step === "number" ? String(Math.round(step)) : step;
  return /^-?\d+$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ",") : text;
}

/**
 * What the steps of a run are called: Keras' summaries alone count epochs.
 *
 * @param {string} axis
 */
export function stepWord(axis) {
  return axis === "epoch" ? "epoch" : "step";
}

/**
 * A step on an axis, where space is short: "6,000", "120k", "1.5M".
 *
 * @param {number} step
 */
export function formatStepShort(step) {
  const size = Math.abs(step);
  if (size >= 1e15) return step.toExponential(1).replace("e+", "e");
  if (size >= 1e9) return `${trim(step / 1e9)}G`;
  if (size >= 1e6) return `${trim(step / 1e6)}M`;
  if (size >= 1e5) return `${trim(step / 1e3)}k`;
  return formatStep(trim(step));
}

/** @param {number} value */
function trim(value) {
  return Number(value.toPrecision(6));
}

/**
 * @param {Step} first
 * @param {Step} last
 * @param {string} [unit]
 */
export function formatStepRange(first, last, unit = "step") {
  return first === last
    ? `${unit} ${formatStep(first)}`
    : `${unit}s ${formatStep(first)} to ${formatStep(last)}`;
}

/**
 * A duration in seconds for an axis: "45s", "2m 30s", "1h 05m", "3d 4h".
 *
 * @param {number} seconds
 */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const sign = seconds < 0 ? "-" : "";
  const total = Math.abs(seconds);
  if (total < 60) return `${sign}${Number(total.toFixed(total < 10 ? 1 : 0))}s`;
  const whole = Math.round(total);
  const [days, hours] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600)];
  const [minutes, rest] = [Math.floor((whole % 3600) / 60), whole % 60];
  if (days) return `${sign}${days}d${hours ? ` ${hours}h` : ""}`;
  if (hours) return `${sign}${hours}h${minutes ? ` ${String(minutes).padStart(2, "0")}m` : ""}`;
  return `${sign}${minutes}m${rest ? ` ${String(rest).padStart(2, "0")}s` : ""}`;
}

/**
 * Local time of day, or date and time where the axis spans more than a day.
 *
 * @param {number} seconds Since the epoch.
 * @param {number} span Of the axis, in seconds.
 */
export function formatClock(seconds, span) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "";
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (span > 86400) return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
  return span < 600 ? `${time}:${two(date.getSeconds())}` : time;
}
