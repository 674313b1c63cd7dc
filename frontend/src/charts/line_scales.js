/**
 * Where a line chart's plot lies, what its scales span, and where their ticks are.
 *
 * @import { Line, LineProps } from "./line.js"
 * @import { Plot } from "./ticks.js"
 * @import { Healthy } from "../types.js"
 */
import { linearTicks, logTicks, timeTicks } from "./ranges.js";

const TOP = 10;
const X_AXIS_HEIGHT = 24;
/** Of ticks without labels. */
const BARE_HEIGHT = 8;
/** How far a scale from zero goes beyond its largest value: what is constant is no upper edge. */
const ROOM = 1.15;

/**
 * @typedef {object} Frame
 * @property {Plot} plot  In CSS pixels of the element.
 * @property {[number, number]} y  Ends of the left scale.
 * @property {boolean} known  Whether anything says what these ends are: a value, a band, a fixed range.
 * @property {[number, number] | null} right  Of the right one, where a line is drawn on it.
 * @property {(x: number) => number} toX
 * @property {(left: number) => number} fromX
 * @property {(value: number, scale?: Line["scale"]) => number} toY
 */

/**
 * @param {LineProps} props
 * @param {number} width Of the element.
 * @param {number} height
 * @param {number} [strip] Height above the plot that labels of flags need.
 * @returns {Frame}
 */
export function frameOf(props, width, height, strip = 0) {
  const { extent, gutter, log, range, healthy } = props;
  const beneath = props.bare ? BARE_HEIGHT : X_AXIS_HEIGHT;
  const plot = {
    left: gutter.left,
    top: TOP + strip,
    width: Math.max(1, width - gutter.left - gutter.right),
    height: Math.max(1, height - TOP - strip - beneath),
  };
  const [low, high] = props.trimmed ? trimmed(props) : span(props, "y");
  const known = low !== null || !!range || !!healthy;
  const y = range ?? withHealthy(padded(low, high, log), healthy ?? null);
  const right = rightRange(props);
  const [from, to] = extent;
  const part = (/** @type {number} */ value, /** @type {Line["scale"]} */ scale) => {
    if (scale === "right" && right) return (value - right[0]) / (right[1] - right[0]);
    if (log) return Math.log(value / y[0]) / Math.log(y[1] / y[0]);
    return (value - y[0]) / (y[1] - y[0]);
  };
  return {
    plot,
    y,
    known,
    right,
    toX: (x) => plot.left + ((x - from) / (to - from)) * plot.width,
    fromX: (left) => from + ((left - plot.left) / plot.width) * (to - from),
    toY: (value, scale) => plot.top + plot.height * (1 - part(value, scale)),
  };
}

/**
 * Smallest and largest value in view of the lines of one scale; null without any.
 *
 * @param {LineProps} props
 * @param {"y" | "right"} scale
 * @returns {[number, number] | [null, null]}
 */
function span({ lines, extent: [from, to] }, scale) {
  let [low, high] = [Infinity, -Infinity];
  for (const line of lines) {
    if ((line.scale ?? "y") !== scale) continue;
    for (const values of [line.y, line.high ?? []]) {
      values.forEach((value, index) => {
        if (value === null || line.x[index] < from || line.x[index] > to) return;
        low = Math.min(low, value);
        high = Math.max(high, value);
      });
    }
  }
  return high >= low ? [low, high] : [null, null];
}

/** Share of the values at either end that a trimmed scale may leave out. */
const TRIM = 0.02;
/** It leaves them out only where that makes it this many times as fine. */
const FINER = 2;

/**
 * The span without what lies far from the rest: of the values in view, all lines together.
 *
 * @param {LineProps} props
 * @returns {[number, number] | [null, null]}
 */
function trimmed(props) {
  const { lines, extent, log } = props;
  const [from, to] = extent;
  const values = lines
    .filter((line) => (line.scale ?? "y") === "y")
    .flatMap((line) =>
      line.y.flatMap((value, at) =>
        value !== null && line.x[at] >= from && line.x[at] <= to ? [value] : [],
      ),
    )
    .sort((a, b) => a - b);
  if (values.length < 1 / TRIM) return span(props, "y");
  const at = (/** @type {number} */ part) => values[Math.round(part * (values.length - 1))];
  const size = (/** @type {number} */ low, /** @type {number} */ high) =>
    log ? Math.log(high / low) : high - low;
  const [low, high] = [at(TRIM), at(1 - TRIM)];
  const finer = size(values[0], values[values.length - 1]) > FINER * size(low, high);
  return finer && high > low ? [low, high] : span(props, "y");
}

/**
 * @param {LineProps} props
 * @returns {[number, number] | null}
 */
function rightRange(props) {
  if (!props.lines.some((line) => line.scale === "right")) return null;
  const [low, high] = span(props, "right");
  // From zero on, to whichever side: what is negative ends there.
  return [Math.min(0, low ?? 0), Math.max(0, (high ?? 1) * ROOM) || Number(!(Number(low) < 0))];
}

/**
 * None where nothing has a place on the scale: its ends would be made up.
 *
 * @param {LineProps} props
 * @param {Frame} frame
 */
export function yTicks({ log }, { plot, known, y: [low, high] }) {
  if (!known) return [];
  // With fewer than four, a step that is round may leave a single label.
  const count = Math.max(4, Math.floor(plot.height / 34));
  if (log) return logTicks(low, high, count);
  const ticks = linearTicks(low, high, count);
  return ticks.length > 2 ? ticks : linearTicks(low, high, count + 2);
}

/**
 * The range with at least the nearer edge of the healthy band in it: how far off is the point.
 *
 * @param {[number, number]} range
 * @param {Healthy | null} healthy
 * @returns {[number, number]}
 */
export function withHealthy([low, high], healthy) {
  const top = healthy?.high ?? Number.POSITIVE_INFINITY;
  return [Math.min(low, top / 3), Math.max(high, (healthy?.low ?? 0) * 3)];
}

/** A linear scale spans at least this share of its largest value: what hardly varies looks so. */
const LEAST = 0.05;
/** What varies less than this has nothing to be seen but its height above zero. */
const FLAT = 1e-3;

/**
 * @param {number | null} low
 * @param {number | null} high
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function padded(low, high, log) {
  if (low === null || high === null) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const wide = Math.log10(high / low) < 0.3 ? 1.5 : 1.15;
    return [low / wide, Math.min(high * wide, Number.MAX_VALUE)];
  }
  const size = Math.max(Math.abs(low), Math.abs(high)) || 1;
  if (high - low < FLAT * size)
    return [Math.min(0, low * ROOM), Math.max(0, high * ROOM) || Number(low === 0)];
  const span = Math.max(high - low, LEAST * size);
  const room = span * 0.06 + (span - (high - low)) / 2;
  // A range that begins near zero begins at zero: lengths can then be compared.
  const bottom = low >= 0 && low < span * 0.4 ? 0 : low - room;
  return [bottom, high + room];
}

/**
 * @param {LineProps["kind"]} kind
 * @param {number} low
 * @param {number} high
 * @param {number} width
 */
export function xTicks(kind, low, high, width) {
  const count = Math.max(2, Math.floor(width / (width < 320 ? 56 : 90)));
  if (kind === "count") return linearTicks(low, high, count, true);
  const ahead = kind === "clock" ? new Date(low * 1000).getTimezoneOffset() * -60 : 0;
  return timeTicks(low, high, count, ahead);
}
