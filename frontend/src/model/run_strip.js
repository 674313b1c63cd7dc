/**
 * The overview of a run: the worst layer at each of its steps.
 *
 * It is of the statistic that the map shows. While no layer leaves its limits there, that would be
 * neutral from end to end beside a finding, so it is then of all statistics, as in the table of runs.
 *
 * @import { Heat, Metric, RunSummary } from "../types.js"
 * @import { Axis } from "./axis.js"
 * @import { Overall } from "./map.js"
 */
import { distanceOfLevel } from "../charts/health.js";
import { pool } from "../charts/pool.js";
import { NAN, NO_DATA, VALUE } from "../data/decode.js";
import { uncapital, visible } from "../format/names.js";
import { stepNumber } from "../format/steps.js";

/**
 * @param {Heat} heat  Of distances.
 * @param {Float64Array} edges  On the x axis.
 * @param {Metric} metric
 * @returns {Overall}
 */
export function overallOf(heat, edges, metric) {
  const every = Int32Array.from({ length: heat.rows }, (_, row) => row);
  const columns = Int32Array.from({ length: 2 * heat.cells }, (_, at) => (at + 1) >> 1);
  const { values, codes } = pool(heat, every, Int32Array.of(0, heat.rows), columns, Math.abs);
  const label = `Worst ${uncapital(visible(metric.title))}`;
  return { heat: { rows: 1, cells: heat.cells, values, codes }, edges, label };
}

/**
 * @param {Overall} of
 */
export function isCalm({ heat: { values, codes } }) {
  return codes.every((code, at) => (code === VALUE ? values[at] === 0 : code === NO_DATA));
}

/** What the letters of a health line stand for (docs/http_api.md, `runs`). */
const LEVELS = "dcba01234";

/**
 * @param {RunSummary | null} run
 * @param {Pick<Axis, "fromStep">} axis
 * @param {number} end  Where the last record ends on the axis, as the map draws it.
 * @returns {Overall | null} null where nothing is outside its limits there either.
 */
export function lineOf(run, { fromStep }, end) {
  const line = run?.health ?? "";
  const cells = line.length;
  const steps = stepNumber(run?.last_step ?? "-1") + 1;
  const edges = Float64Array.from({ length: cells + 1 }, (_, at) => fromStep((at * steps) / cells));
  edges[cells] = Math.max(edges[cells], end);
  if (!/[^.0]/.test(line) || !edges.every(Number.isFinite)) return null;
  const levels = Array.from(line, (letter) => LEVELS.indexOf(letter) - 4);
  const codes = Array.from(line, (letter) =>
    LEVELS.includes(letter) ? VALUE : letter === "." ? NO_DATA : NAN,
  );
  const heat = {
    ...{ rows: 1, cells },
    values: Float32Array.from(levels, distanceOfLevel),
    codes: Uint8Array.from(codes),
  };
  return { heat, edges, label: "Worst of all statistics" };
}
