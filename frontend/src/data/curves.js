/**
 * From the run's series to the curves of the top chart.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { Placement } from "./axes.js"
 * @import { Series, View } from "../types.js"
 */
import { smooth } from "../charts/smoothing.js";
import { stepNumber } from "../format/steps.js";

/**
 * @typedef {object} Colors
 * @property {string} run
 * @property {string} partner  Of its validation.
 * @property {boolean} [beside]  Whether several runs stand in the chart: then color tells which.
 */

/** Curves of the loss chart, in the order of the legend; the learning rate has its own scale. */
const LOSS = ["loss", "epoch_loss", "validation_loss", "learning_rate"];
const NORMS = ["gradient_global_norm", "variable_global_norm", "update_global_norm"];
/** Shorter curves of steps are shown as they are: smoothing would hide more than noise. */
const SMOOTH_FROM = 30;
/** Beyond this ratio of largest to smallest value a logarithmic scale shows more. */
const LOG_FROM = 1000;

/** The framework's own metrics, and those of its validation. */
const METRIC = /^(validation_)?metric\//;
const NO_NAMES = /** @type {string[]} */ ([]);

/**
 * Whether a run has metrics of its framework beside its losses.
 *
 * @param {Series[]} series
 */
export function hasMetrics(series) {
  return series.some(({ name }) => METRIC.test(name));
}

/**
 * The series a chart shows, in the order of its legend; those that are pinned last.
 *
 * @param {Series[]} series
 * @param {View["chart"]} chart
 * @param {string[]} [pinned]  Names.
 */
export function chosenSeries(series, chart, pinned = NO_NAMES) {
  const names = chart === "norms" ? NORMS : LOSS;
  const own =
    chart === "metrics"
      ? series.filter(({ name }) => METRIC.test(name))
      : names.flatMap((name) => series.find((one) => one.name === name) ?? []);
  const more = pinned.flatMap((name) => series.find((one) => one.name === name) ?? []);
  return [...own, ...more.filter((one) => !own.includes(one))];
}

/**
 * Whether a series belongs to a chart, and so to its left scale.
 *
 * @param {Series} series
 * @param {View["chart"]} chart
 */
function belongs({ name }, chart) {
  if (chart === "metrics") return METRIC.test(name);
  return (chart === "norms" ? NORMS : LOSS).includes(name);
}

/**
 * Whether a logarithmic scale is better when the person did not say: norms always; losses when all
 * are positive and span many decades.
 *
 * @param {Series[]} chosen
 * @param {View["chart"]} chart
 */
export function logByDefault(chosen, chart) {
  if (chart === "norms") return true;
  if (chart === "metrics") return false;
  let [low, high] = [Infinity, 0];
  for (const one of chosen) {
    if (one.name === "learning_rate" || !belongs(one, chart)) continue;
    for (const value of one.values) {
      if (value === null) continue;
      if (value <= 0) return false;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return high > low * LOG_FROM;
}

/**
 * @param {Series[]} chosen
 * @param {Placement} placement
 * @param {{smoothing: number, hidden: string[], chart: View["chart"]}} view
 * @param {boolean} log
 * @param {Colors} colors
 * @param {Palette} palette
 * @returns {Line[]}
 */
export function curves(chosen, placement, view, log, colors, palette) {
  const lines = chosen.flatMap((series, index) => {
    const x = placement.x.get(series.name);
    if (!x || view.hidden.includes(series.name)) return [];
    // What stays the same is said in the legend: a line of it would cross the losses for nothing.
    if (chosen.length > 1 && steadyRate(series)) return [];
    const style = styleOf(series, index, colors, palette, belongs(series, view.chart));
    const onRight = style.scale === "right";
    const asLog = log && !onRight;
    const bad = badPoints(series, x, asLog);
    const y = asLog ? series.values.map(positive) : series.values;
    const smoothable = perStep(series, style) && !onRight && y.length >= SMOOTH_FROM;
    if (!smoothable || view.smoothing === 0) return [{ ...style, x, y, bad }];
    const line = { ...style, x, y, bad };
    const smoothed = smooth(y, view.smoothing, series.steps.map(stepNumber), log);
    return [pale(line), { ...line, y: smoothed }];
  });
  return onOneScale(lines);
}

/**
 * Lines of the right scale have units of their own: the first keeps its numbers, the others are drawn
 * over the height it spans, and read by their names' values.
 *
 * @param {Line[]} lines
 * @returns {Line[]}
 */
function onOneScale(lines) {
  const right = lines.filter((line) => line.scale === "right");
  if (right.length < 2) return lines;
  const [least, most] = spanOf(right[0].y);
  const floor = Math.min(0, least);
  const height = Math.max(0, most) - floor;
  return lines.map((line) => {
    if (line.scale !== "right" || line === right[0]) return line;
    const [low, high] = spanOf(line.y);
    const bottom = Math.min(0, low);
    const scale = (height || 1) / (high - bottom || 1);
    const y = line.y.map((value) => (value === null ? null : floor + (value - bottom) * scale));
    return { ...line, y, read: line.y };
  });
}

/** @param {(number | null)[]} values @returns {[number, number]} */
function spanOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high >= low ? [low, high] : [0, 1];
}

/**
 * A curve as it was recorded, faint, behind its smoothed form; marks only once.
 *
 * @param {Line} line
 * @returns {Line}
 */
export function pale(line) {
  return { ...line, id: `${line.id} raw`, width: 1, alpha: 0.28, bad: [] };
}

/**
 * Whether a learning rate was the same at all of its records.
 *
 * @param {Series} series
 */
export function steadyRate({ name, values, nonfinite }) {
  if (name !== "learning_rate" || values.length < 2 || nonfinite.length > 0) return false;
  return values[0] !== null && values.every((value) => value === values[0]);
}

/**
 * What has one value an epoch is a mean already, whatever its axis counts: smoothed, a single bad
 * first epoch would look like a slow descent.
 *
 * @param {Series} series
 * @param {{dots?: boolean}} style  Points of their own are drawn for one value an epoch.
 */
function perStep({ axis }, { dots }) {
  return axis !== "epoch" && !dots;
}

/**
 * @param {Series} series
 * @param {number} index
 * @param {Colors} colors
 * @param {Palette} palette
 * @param {boolean} own  Whether it belongs to the chart; else it is pinned.
 * @returns {Omit<Line, "x" | "y" | "bad">}
 */
function styleOf({ name, title, axis }, index, { run, partner, beside }, palette, own) {
  const label = LABELS.get(name) ?? title;
  const color = palette.series[index % palette.series.length];
  const dots = axis === "epoch" || METRIC.test(name);
  if (!own) {
    return { id: name, label, color, width: 1.5, dash: [1, 3], dots, scale: "right" };
  }
  if (METRIC.test(name)) {
    const dash = name.startsWith("validation_") ? [6, 4] : [];
    return { id: name, label, color: beside ? run : color, width: 2, dash, dots };
  }
  switch (name) {
    case "loss":
      return { id: name, label, color: run, width: 2 };
    case "epoch_loss":
      return { id: name, label, color: run, width: 1.25, dots: true };
    case "validation_loss":
      return { id: name, label, color: partner, width: 2, dash: [6, 4], dots: true };
    case "learning_rate":
      return { id: name, label, color: palette.soft, width: 1.25, dash: [2, 3], scale: "right" };
    default:
      if (beside) return { id: name, label, color: run, width: 1.75, dash: DASHES[index] };
      return { id: name, label, color, width: 1.75 };
  }
}

/** Of norms, where color tells runs apart. */
const DASHES = [[], [6, 4], [2, 3]];

export const LABELS = new Map([
  ["loss", "Loss"],
  ["epoch_loss", "Loss, mean of epoch"],
  ["validation_loss", "Validation loss"],
  ["learning_rate", "Learning rate"],
  ["gradient_global_norm", "Gradient ‖g‖"],
  ["variable_global_norm", "Weights ‖w‖"],
  ["update_global_norm", "Update ‖Δw‖"],
]);

/**
 * Whether a series has values below 0.
 *
 * @param {Pick<Series, "values">} series
 */
export function fallsBelow({ values }) {
  return values.some((value) => value !== null && value < 0);
}

/** @param {number | null} value */
function positive(value) {
  return value !== null && value > 0 ? value : null;
}

/**
 * Points that have no height on the scale: non-finite ones, and on a logarithmic scale those that
 * are not positive.
 *
 * @param {Series} series
 * @param {number[]} x
 * @param {boolean} log
 * @returns {Line["bad"]}
 */
export function badPoints(series, x, log) {
  /** @type {Line["bad"]} */
  const found = series.nonfinite
    .filter(([index]) => index >= 0 && index < x.length)
    .map(([index, kind]) => ({ x: x[index], kind }));
  if (log) {
    series.values.forEach((value, index) => {
      if (value !== null && value <= 0) found.push({ x: x[index], kind: "nonpositive" });
    });
  }
  return found.sort((a, b) => a.x - b.x);
}

/**
 * What a curve says nearest to `x`: its value, or which kind of non-finite it is there.
 *
 * @param {Series} series
 * @param {number[]} xs
 * @param {number} x
 * @returns {{value: number | null, index: number} | null} null for an empty curve.
 */
export function readAt(series, xs, x) {
  if (xs.length === 0) return null;
  const at = Math.min(xs[xs.length - 1], Math.max(xs[0], x));
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= at) low = middle;
    else high = middle;
  }
  const index = Math.abs(xs[low] - at) < Math.abs(xs[high] - at) ? low : high;
  const bad = series.nonfinite.find(([place]) => place === index);
  return { value: bad ? Number(bad[1]) : series.values[index], index };
}

/**
 * The stretch all curves cover; a single point gets room on both sides.
 *
 * @param {Iterable<number[]>} xs
 * @returns {[number, number] | null} null where there is no point at all.
 */
export function extentOf(xs) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of xs) {
    if (values.length === 0) continue;
    low = Math.min(low, values[0]);
    high = Math.max(high, values[values.length - 1]);
  }
  if (!(high >= low)) return null;
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}
