/**
 * Which small charts a layer's columns make: those that belong together share one.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Column, Healthy, LayerReply } from "../types.js"
 */
import { isSolid, trendLine } from "../charts/smoothing.js";
import { isFraction } from "../format/numbers.js";
import { stepNumber } from "../format/steps.js";
import { corruptionOf } from "./corruption.js";
import { pale } from "./curves.js";

/**
 * @typedef {object} SmallChart
 * @property {string} id
 * @property {string} title
 * @property {Column[]} columns  The first one is the chart's main curve.
 * @property {boolean} log
 * @property {boolean} fraction
 * @property {Healthy | null} healthy  Of the main curve.
 */

/** Charts with columns of several statistics, in the order they are shown. */
const TOGETHER = [
  {
    id: "gradient",
    title: "Gradient norm",
    names: ["gradient_norm", "window_gradient_norm_max", "regularization_gradient_norm"],
  },
  { id: "update_ratio", title: "Update ratio", names: ["update_ratio"] },
  { id: "weights", title: "Weights and update", names: ["variable_norm", "update_norm"] },
  { id: "entries", title: "Gradient entries", names: ["gradient_max", "gradient_mean_abs"] },
  {
    id: "gradient_fractions",
    title: "Share of gradient entries",
    names: ["gradient_zero_fraction", "gradient_nan_fraction", "gradient_inf_fraction"],
  },
  { id: "output", title: "Output std", names: ["activation_std", "activation_batch_std"] },
  {
    id: "output_fractions",
    title: "Share of outputs",
    names: [
      "activation_dead_fraction",
      "activation_saturated_fraction",
      "activation_zero_fraction",
      "activation_nan_fraction",
      "activation_inf_fraction",
    ],
  },
];

/**
 * @param {LayerReply} reply
 * @param {Set<string>} [drawn] Names of columns that are drawn even where they never change.
 * @returns {{charts: SmallChart[], constant: {column: Column, value: number}[]}} Columns that never
 *     change are named with their value instead of being drawn.
 */
export function smallCharts({ columns }, drawn = NONE) {
  const constant = columns.flatMap((column) => {
    const value = constantOf(column);
    return value === null || drawn.has(column.name) ? [] : [{ column, value }];
  });
  const left = new Map(
    columns
      .filter((column) => !constant.some((one) => one.column === column))
      .map((column) => [column.name, column]),
  );
  const charts = [];
  for (const { id, title, names } of TOGETHER) {
    const found = names.flatMap((name) => left.get(name) ?? []);
    if (found.length === 0) continue;
    for (const column of found) left.delete(column.name);
    charts.push(chart(id, found.length === 1 ? found[0].title : title, found));
  }
  for (const column of left.values()) charts.push(chart(column.name, column.title, [column]));
  return { charts, constant };
}

/** @type {Set<string>} */
const NONE = new Set();

/**
 * @param {string} id
 * @param {string} title
 * @param {Column[]} columns
 * @returns {SmallChart}
 */
function chart(id, title, columns) {
  return {
    id,
    title,
    columns,
    healthy: columns[0].healthy,
    log: columns.every((column) => column.scale === "log10"),
    fraction: columns.every(isFraction),
  };
}

/**
 * The value that a column has at every record; null for one that changes.
 *
 * @param {Column} column
 */
export function constantOf({ low, high, nonfinite }) {
  if (high !== null || nonfinite.length > 0) return null;
  const defined = low.filter((value) => value !== null);
  if (defined.length < 2) return null;
  return defined.every((value) => value === defined[0]) ? defined[0] : null;
}

/**
 * The lines of a chart, its main curve last and so on top. Where one would be a solid block, all are
 * drawn pale, as they were recorded, under their course.
 *
 * @param {SmallChart} small
 * @param {LayerReply} reply
 * @param {string[]} colors
 * @returns {Line[]}
 */
export function smallLines(small, reply, colors) {
  const x = reply.steps.map(stepNumber);
  const shown = (/** @type {number | null} */ value) =>
    value !== null && small.log && value <= 0 ? null : value;
  const lines = small.columns.map((column, index) => ({
    id: column.name,
    label: column.title,
    color: colors[index % colors.length],
    width: index === 0 ? 1.75 : 1.25,
    x,
    y: column.low.map(shown),
    high: column.high ? column.high.map(shown) : null,
    bad: badOf(column, reply, small.log).map(([at, kind]) => ({ x: x[at], kind })),
  }));
  lines.reverse();
  if (!lines.some(({ y, high }) => !high && isSolid(y, x, small.log))) return lines;
  const points = lines.filter(({ high }) => !high);
  return [
    ...points.map(pale),
    ...lines.map((line) => (line.high ? line : { ...line, y: trendLine(line.y, x) })),
  ];
}

/**
 * The records of a column that have no place on the scale: not finite, or of a tensor that was not,
 * or zeros on a logarithmic one.
 *
 * @param {Column} column
 * @param {LayerReply} reply
 * @param {boolean} log
 * @returns {[number, Line["bad"][number]["kind"]][]}
 */
export function badOf({ name, low, high, nonfinite }, { columns }, log) {
  const corrupt = corruptionOf(columns, name);
  const kinds = new Map(nonfinite);
  return low.flatMap((value, at) => {
    const zero = log && value !== null && value <= 0 && !(Number(high?.[at]) > 0);
    const kind = corrupt(at) ?? kinds.get(at) ?? (zero ? "nonpositive" : null);
    return kind ? [[at, kind]] : [];
  });
}
