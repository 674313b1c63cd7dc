/**
 * Which statistics, rows and values make a depth profile.
 *
 * @import { Group, Heat, Metric, Row } from "../types.js"
 */
import { isFraction } from "../format/numbers.js";
import { VALUE } from "./decode.js";

/** What is always shown by depth, beside the map's own metric. */
const OFFERED = ["gradient_norm", "update_ratio", "activation_std"];

/**
 * @param {Group[]} groups
 * @returns {{group: string, metric: Metric}[]} Those that are known.
 */
export function profileMetrics(groups) {
  return OFFERED.flatMap((name) =>
    groups.flatMap((group) =>
      group.metrics
        .filter((metric) => metric.name === name)
        .map((metric) => ({ group: group.group, metric })),
    ),
  );
}

/** Kinds of rows that make a profile's line; the others (biases, scales) are left to the map. */
const MAIN = new Set(["kernel", "recurrent_kernel", "embedding", "output", "input"]);

/**
 * Rows of the profile, in order of depth.
 *
 * @param {Row[]} rows
 */
export function profileRows(rows) {
  const main = rows.flatMap((row, index) => (MAIN.has(row.kind) ? [index] : []));
  return main.length >= 2 ? main : rows.map((_row, index) => index);
}

/**
 * Between which values each of `rows` moved over all steps, and the scale that holds them all: it
 * stays as it is while steps go by.
 *
 * @param {Heat} heat
 * @param {number[]} rows
 * @param {Metric} metric
 * @param {Heat | null} [other]  Of the run compared, which the scale has to hold as well.
 * @param {(number | null)[]} [partners]  Its row for each row of the group.
 */
export function profileSpan(heat, rows, metric, other = null, partners = []) {
  const own = spanOf(heat, rows, metric);
  const theirs =
    other &&
    spanOf(
      other,
      rows.flatMap((row) => partners[row] ?? []),
      metric,
    );
  const low = theirs ? Float64Array.of(...own.low, ...theirs.low) : own.low;
  const high = theirs ? Float64Array.of(...own.high, ...theirs.high) : own.high;
  return {
    span: { low: own.low, high: own.high },
    scale: scaleOf(low, high, metric, metric.scale === "log10"),
    zero: own.zero || theirs?.zero === true,
  };
}

/**
 * @param {Heat} heat
 * @param {number[]} rows
 * @param {Metric} metric
 */
function spanOf(heat, rows, metric) {
  const log = metric.scale === "log10";
  const low = new Float64Array(rows.length).fill(Number.NaN);
  const high = new Float64Array(rows.length).fill(Number.NaN);
  let zero = false;
  rows.forEach((row, place) => {
    for (let at = row * heat.cells; at < (row + 1) * heat.cells; at += 1) {
      const value = heat.values[at];
      if (heat.codes[at] !== VALUE) continue;
      if (log && value <= 0) {
        zero = true;
        continue;
      }
      if (!(low[place] <= value)) low[place] = value;
      if (!(high[place] >= value)) high[place] = value;
    }
  });
  return { low, high, zero };
}

/**
 * @param {Float64Array} lows
 * @param {Float64Array} highs
 * @param {Metric} metric
 * @param {boolean} log
 */
function scaleOf(lows, highs, metric, log) {
  if (isFraction(metric)) return { low: 0, high: 1, log: false };
  const known = (/** @type {Float64Array} */ values) =>
    values.filter((value) => !Number.isNaN(value));
  let low = known(lows).reduce((a, b) => Math.min(a, b), Infinity);
  let high = known(highs).reduce((a, b) => Math.max(a, b), -Infinity);
  if (!(high >= low)) return log ? { low: 0.1, high: 1, log } : { low: 0, high: 1, log };
  const { healthy } = metric;
  if (log) {
    // The nearer edge of the healthy band stays in view: how far off is the point.
    low = Math.min(low, (healthy?.high ?? Infinity) / 2);
    high = Math.max(high, (healthy?.low ?? 0) * 2);
    const wide = high / low < 3 ? 2 : 1.3;
    return { low: low / wide, high: high * wide, log };
  }
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return { low: low - pad, high: high + pad, log };
}
