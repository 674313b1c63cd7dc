/**
 * The depth profile: one statistic from input to output, at the selected step.
 *
 * @import { ProfileProps } from "../charts/profile.js"
 * @import { Group, Heat, Metric, Row } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createProfile } from "../charts/profile.js";
import { VALUE } from "../data/decode.js";
import { isFraction } from "../format/numbers.js";
import { formatStepRange } from "../format/steps.js";
import { exportMenu } from "./export_menu.js";
import { healthyWords } from "./healthy.js";
import { mount } from "./mount.js";
import { createPlayer } from "./player.js";

/**
 * @typedef {object} ProfileData
 * @property {ProfileProps} chart
 * @property {{group: string, metric: Metric}[]} offered
 * @property {{nan: boolean, infinite: boolean, none: boolean, zero: boolean}} marks  Which occur.
 *
 * @typedef {object} ProfileHandlers
 * @property {(step: number) => void} selectStep
 * @property {(group: string, metric: string) => void} selectMetric
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

/**
 * @param {ProfileData} data
 * @param {ProfileHandlers} handlers
 */
export function profileView({ chart, offered, marks }, handlers) {
  const { heat, metric, cell } = chart;
  const { first_steps: first, last_steps: last } = heat.header;
  const listed = offered.some((one) => one.metric === metric);
  return html`<div class="profile">
    <div class="profile-head">
      <label class="field"><span class="hidden-label">Statistic of the profile</span>
        <select data-testid="profile-metric" @change=${(/** @type {Event} */ event) => {
          const { value } = /** @type {HTMLSelectElement} */ (event.target);
          const [group, name] = value.split(" ");
          handlers.selectMetric(group, name);
        }}>
          ${offered.map(
            (one) => html`<option value="${one.group} ${one.metric.name}"
              .selected=${one.metric === metric}>${one.metric.title}</option>`,
          )}
          ${listed ? nothing : html`<option selected>${metric.title}</option>`}
        </select></label>
      ${mount(createPlayer, {
        cell,
        cells: heat.cells,
        text: formatStepRange(first[cell], last[cell]),
        onMove: (/** @type {number} */ to) => handlers.selectStep(heat.edges[to]),
      })}
      ${exportMenu("profile", "the depth profile", ["png", "csv", "json"], handlers)}
    </div>
    ${mount(createProfile, chart)}
    <p class="ends"><span>input</span>${legend(chart, marks)}<span>output</span></p>
  </div>`;
}

/**
 * @param {ProfileProps} chart
 * @param {ProfileData["marks"]} marks
 */
function legend({ metric, color }, marks) {
  return html`<span class="small-values">
    <span class="small-value"><i class="band" style="background:${color};opacity:.3"></i>over all steps</span>
    ${metric.healthy ? healthyWords(metric.healthy, metric) : nothing}
    ${marks.nan ? html`<span class="small-value">× NaN</span>` : nothing}
    ${marks.infinite ? html`<span class="small-value">▲ infinite</span>` : nothing}
    ${marks.zero ? html`<span class="small-value">▽ exactly 0</span>` : nothing}
    ${marks.none ? html`<span class="small-value">– no data</span>` : nothing}
  </span>`;
}

/** What the profile offers by itself; the map's own metric is always on it. */
const OFFERED = ["gradient_norm", "update_ratio", "activation_std"];

/** @param {Group[]} groups */
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
 */
export function profileSpan(heat, rows, metric) {
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
  return { span: { low, high }, scale: scaleOf(low, high, metric, log), zero };
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
