/** Numbers of experiments in words. */
import { formatNumber } from "../format/numbers.js";

/**
 * A value of what was measured, as the summaries of experiments and the terminal write it.
 *
 * @param {number | null} value  null: the training diverged.
 */
export function amount(value) {
  return value === null ? "diverged" : formatNumber(value);
}

/** @param {string} measure As records name it. */
export function measureName(measure) {
  return measure === "R2" ? "R²" : measure || "value";
}

/**
 * @param {(number | null)[]} values
 * @returns {number[]}
 */
export function finite(values) {
  return /** @type {number[]} */ (values.filter((value) => value !== null));
}

/**
 * Mean of those that are finite; null without one.
 *
 * @param {(number | null)[]} values
 */
export function mean(values) {
  const sound = finite(values);
  return sound.length ? sound.reduce((sum, value) => sum + value, 0) / sound.length : null;
}

/**
 * `[0.61, 0.63]` -> "0.61 to 0.63"; how many diverged is added.
 *
 * @param {(number | null)[]} values
 */
export function spread(values) {
  const sound = finite(values);
  const lost = values.length - sound.length;
  if (sound.length === 0) return values.length ? `${lost} of ${values.length} diverged` : "–";
  const [low, high] = [Math.min(...sound), Math.max(...sound)].map(amount);
  const text = low === high ? low : `${low} to ${high}`;
  return lost ? `${text}, ${lost} of ${values.length} diverged` : text;
}

/** `0.28` -> "+0.28". @param {number} value */
export function change(value) {
  if (value === 0) return "0";
  return `${value < 0 ? "−" : "+"}${formatNumber(Math.abs(value), 2)}`;
}

/**
 * When an experiment was made: "30 Nov 2026, 14:06"; "" where it is not known.
 *
 * @param {number} seconds
 */
export function when(seconds) {
  if (!(seconds > 0 && seconds < 1e11)) return "";
  return new Date(seconds * 1000).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}
