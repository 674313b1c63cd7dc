/**
 * What each view shows, as a table for CSV: the data itself, unsmoothed and unrounded, with steps
 * as they were recorded.
 *
 * @import { Cell } from "./csv.js"
 * @import { CompareReply, Finding, Heat, LayerReply, Metric, NonFinite, Row, RunSummary, Series, Step } from "../types.js"
 */
import { INFINITE, NAN, NO_DATA } from "../data/decode.js";
import { looseNumber } from "../format/numbers.js";
import { stateOf } from "../format/severity.js";

/**
 * @typedef {object} Sheet
 * @property {string[]} columns
 * @property {Cell[][]} rows
 */

/**
 * One row per run, in the order of the list, with every setting that is known.
 *
 * @param {RunSummary[]} runs
 * @returns {Sheet}
 */
export function runsSheet(runs) {
  const settings = [...new Set(runs.flatMap((run) => Object.keys(run.settings ?? {})))].sort();
  return {
    columns: [
      "run",
      "verdict",
      "severity",
      "checks_decided",
      "checks_applicable",
      "first_finding",
      "title",
      "first_step",
      "last_step",
      "loss",
      "health",
      ...settings,
    ],
    rows: runs.map((run) => [
      run.run,
      stateOf(run),
      run.severity,
      run.verdict?.decided ?? null,
      run.verdict?.applicable ?? null,
      run.first?.id ?? null,
      run.first?.title ?? null,
      run.first?.first_step ?? null,
      run.last_step,
      looseNumber(run.loss),
      run.health,
      ...settings.map((name) => run.settings?.[name] ?? null),
    ]),
  };
}

/**
 * One row per finding, in reading order.
 *
 * @param {Finding[]} findings
 * @returns {Sheet}
 */
export function findingsSheet(findings) {
  return {
    columns: [
      "id",
      "kind",
      "severity",
      "confidence",
      "first_step",
      "last_step",
      "explained_by",
      "layers",
      "title",
      "summary",
    ],
    rows: findings.map((one) => [
      one.id,
      one.kind,
      one.severity,
      one.confidence,
      one.first_step,
      one.last_step,
      one.explained_by,
      one.layers.join(" "),
      one.title,
      one.summary,
    ]),
  };
}

/**
 * One row per difference between two runs: settings, findings, statistics.
 *
 * @param {CompareReply} reply
 * @returns {Sheet}
 */
export function compareSheet({ settings, findings, shared, differences }) {
  return {
    columns: ["part", "name", "layer", "first", "second", "first_step", "second_step"],
    rows: [
      ...(settings ?? []).map((one) => [
        "setting",
        one.name,
        null,
        one.first,
        one.second,
        null,
        null,
      ]),
      ...[...findings, ...shared].map((one) => [
        "finding",
        one.id,
        null,
        one.first,
        one.second,
        one.first_step,
        one.second_step,
      ]),
      ...differences.map((one) => [
        "statistic",
        one.statistic,
        one.first_row,
        looseNumber(one.first),
        looseNumber(one.second),
        one.since_step,
        one.since_step,
      ]),
    ],
  };
}

/**
 * One row per point: curves have steps of their own.
 *
 * @param {Series[]} series
 * @returns {Sheet}
 */
export function curvesSheet(series) {
  return {
    columns: ["series", "axis", "step", "value", "wall_time"],
    rows: series.flatMap((one) => {
      const values = withNonFinite(one.values, one.nonfinite);
      return one.steps.map((step, index) => [
        one.name,
        one.axis,
        step,
        values[index],
        one.wall_times[index] ?? null,
      ]);
    }),
  };
}

/**
 * One row per cell, rows of the map in the order on screen. `finite_part` is the scale of what is
 * still finite in a cell whose value is not.
 *
 * @param {Heat} heat
 * @param {Row[]} rows
 * @param {number[]} order
 * @param {Metric} metric
 * @returns {Sheet}
 */
export function heatSheet(heat, rows, order, metric) {
  const { first_steps: first, last_steps: last } = heat.header;
  const cells = order.flatMap((row) =>
    Array.from({ length: heat.cells }, (_, cell) => {
      const [value, finite] = cellValues(heat, row * heat.cells + cell);
      return [rows[row].name, first[cell], last[cell], value, finite];
    }),
  );
  return { columns: ["row", "first_step", "last_step", metric.name, "finite_part"], rows: cells };
}

/**
 * One row per layer, from input to output, at one cell of the map.
 *
 * @param {Heat} heat
 * @param {Row[]} rows
 * @param {number[]} shown
 * @param {Metric} metric
 * @param {number} cell
 * @param {import("../charts/profile.js").ProfileBeside | null} [beside]  Of the run compared.
 * @returns {Sheet}
 */
export function profileSheet(heat, rows, shown, metric, cell, beside = null) {
  const { first_steps: first, last_steps: last } = heat.header;
  const compared = beside
    ? ["compared_first_step", "compared_last_step", "compared_value", "compared_finite_part"]
    : [];
  return {
    columns: ["row", "first_step", "last_step", metric.name, "finite_part", ...compared],
    rows: shown.map((row) => {
      const [value, finite] = cellValues(heat, row * heat.cells + cell);
      const own = [rows[row].name, first[cell], last[cell], value, finite];
      return beside ? [...own, ...comparedCells(beside, row)] : own;
    }),
  };
}

/**
 * Of the row that is `row` in the run compared; empty without one.
 *
 * @param {import("../charts/profile.js").ProfileBeside} beside
 * @param {number} row
 * @returns {Cell[]}
 */
function comparedCells({ heat, partners, cell }, row) {
  const partner = partners[row] ?? null;
  if (partner === null) return [null, null, null, null];
  const { first_steps: first, last_steps: last } = heat.header;
  return [first[cell], last[cell], ...cellValues(heat, partner * heat.cells + cell)];
}

/**
 * The value of a cell, and of one that is not finite the part that still is.
 *
 * @param {Heat} heat
 * @param {number} at
 * @returns {[Cell, Cell]}
 */
function cellValues({ values, codes }, at) {
  const finite = Number.isNaN(values[at]) ? null : values[at];
  switch (codes[at]) {
    case NAN:
      return [Number.NaN, finite];
    case INFINITE:
      return [Infinity, finite];
    case NO_DATA:
      return [null, null];
    default:
      return [finite, null];
  }
}

/**
 * One row per record; a statistic known as an interval has two columns.
 *
 * @param {LayerReply} reply
 * @returns {Sheet}
 */
export function layerSheet({ steps, columns }) {
  const parts = columns.flatMap((column) => {
    const low = withNonFinite(column.low, column.nonfinite);
    return column.high
      ? [
          { name: `${column.name}_low`, values: low },
          { name: `${column.name}_high`, values: column.high },
        ]
      : [{ name: column.name, values: low }];
  });
  return {
    columns: ["step", ...parts.map((part) => part.name)],
    rows: steps.map((/** @type {Step} */ step, index) => [
      step,
      ...parts.map((part) => part.values[index]),
    ]),
  };
}

/**
 * @param {(number | null)[]} values
 * @param {[number, NonFinite][]} nonfinite
 */
function withNonFinite(values, nonfinite) {
  const all = [...values];
  for (const [index, kind] of nonfinite) {
    if (index < all.length) all[index] = Number(kind);
  }
  return all;
}
