/**
 * How the selected run is doing: still written to, silent, or out of reach. Pure.
 *
 * @import { RunSummary } from "../types.js"
 * @import { State } from "../state/state.js"
 */
import { counted } from "../format/numbers.js";
import { formatStep, stepNumber, stepWord } from "../format/steps.js";

/**
 * @typedef {object} Live
 * @property {"running" | "silent" | "old" | "away"} state
 * @property {string} text
 * @property {string} more
 * @property {string} title
 */

/** Silent from ten usual gaps between records on, or a minute, whichever is longer. */
const GAPS = 10;
const LEAST_SECONDS = 60;
/** Silence this long is no news any more: the training is over. */
const OLD_SECONDS = 3600;
/** Clocks differ by this much without anyone noticing. */
const SKEW_SECONDS = 60;

/**
 * @param {RunSummary} run
 * @param {number | null} gap  Usual seconds between two of its records.
 * @param {{now: number, read: number | null, away: boolean}} clock  In seconds since 1970; `read`: when
 *   TensorBoard last answered.
 * @returns {Live}
 */
export function liveOf(run, gap, { now, read, away }) {
  const at =
    stepNumber(run.last_step) >= 0 ? `${stepWord(run.axis)} ${formatStep(run.last_step)}` : "";
  const when = read === null ? "" : `read ${clockTime(read)}`;
  const title =
    read === null
      ? ""
      : `TensorBoard last answered at ${clockTime(read)}. This page asks again by itself.`;
  if (away) {
    return {
      state: "away",
      text: "TensorBoard is away",
      more: read === null ? "" : `shown as read at ${clockTime(read)}`,
      title,
    };
  }
  if (run.latest_seconds === null) {
    return { state: "old", text: at || "no record", more: when, title };
  }
  const silence = now - run.latest_seconds;
  if (silence < -SKEW_SECONDS) {
    const more = [`last record at ${clockTime(run.latest_seconds)} by the training's clock`, when];
    return { state: "old", text: at, more: more.filter(Boolean).join(" · "), title };
  }
  const ago = duration(Math.max(0, silence));
  const long = Math.max(LEAST_SECONDS, GAPS * (gap ?? 0));
  if (silence <= long) {
    return {
      state: "running",
      text: "running",
      more: [`last record ${ago} ago`, at, when].filter(Boolean).join(" · "),
      title,
    };
  }
  if (silence <= Math.max(OLD_SECONDS, 2 * long)) {
    return {
      state: "silent",
      text: `no record for ${ago}`,
      more: [at, when].filter(Boolean).join(" · "),
      title,
    };
  }
  return {
    state: "old",
    text: `last record ${ago} ago`,
    more: [at, when].filter(Boolean).join(" · "),
    title,
  };
}

/**
 * The usual gap between records: the median of the last ones. null with fewer than three.
 *
 * @param {State["slots"]["series"]} slot
 */
export function usualGap({ data }) {
  const longest = (data?.series ?? []).reduce(
    (most, one) =>
      one.axis === "step" && one.wall_times.length > most.length ? one.wall_times : most,
    /** @type {(number | null)[]} */ ([]),
  );
  const times = longest.filter((time) => time !== null).slice(-20);
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  if (gaps.length < 2) return null;
  return gaps.sort((a, b) => a - b)[gaps.length >> 1];
}

/**
 * In words of one unit: "12 s", "14 min", "3 h", "2 days".
 *
 * @param {number} seconds >= 0
 */
export function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return counted(Math.floor(seconds / 86400), "day");
}

/** @param {number} seconds Since 1970. */
export function clockTime(seconds) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "?";
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}
