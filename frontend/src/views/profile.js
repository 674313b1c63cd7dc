/**
 * The depth profile: one statistic from input to output, at the selected step.
 *
 * @import { ProfileProps } from "../charts/profile.js"
 * @import { Metric } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createProfile } from "../charts/profile.js";
import { formatStepRange, stepNumber } from "../format/steps.js";
import { exportMenu } from "./export_menu.js";
import { healthyOfMap } from "./healthy.js";
import { mount } from "./mount.js";
import { inlineName } from "./name.js";
import { createPlayer } from "./player.js";

/**
 * @typedef {object} ProfileData
 * @property {ProfileProps} chart
 * @property {{group: string, metric: Metric}[]} offered
 * @property {{nan: boolean, infinite: boolean, none: boolean, zero: boolean}} marks  Which occur.
 * @property {{group: string, chart: ProfileProps}[]} others  Further statistics at the same step.
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
export function profileView({ chart, offered, marks, others }, handlers) {
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
      ${exportMenu("profile", "the depth profile", ["png", "svg", "csv", "json"], handlers)}
    </div>
    ${mount(createProfile, chart)}
    <p class="ends"><span>input</span>${legend(chart, marks)}<span>output</span></p>
    <div class="figures">${others.map(
      (one) => html`<figure class="small-chart">
        <figcaption><span class="small-values"><button type="button" class="link"
            @click=${() => handlers.selectMetric(one.group, one.chart.metric.name)}>${one.chart.metric.title}</button>${healthyOfMap(one.chart.metric, one.chart.heat)}</span></figcaption>
        ${mount(createProfile, one.chart)}
      </figure>`,
    )}</div>
  </div>`;
}

/**
 * @param {ProfileProps} chart
 * @param {ProfileData["marks"]} marks
 */
function legend({ metric, color, beside, heat, cell }, marks) {
  return html`<span class="small-values">
    ${beside ? runKey(beside, color, stepsOf(heat, cell)) : nothing}
    <span class="small-value"><i class="band" .style=${`background:${color};opacity:.3`}></i>over all steps</span>
    ${healthyOfMap(metric, heat)}
    ${marks.nan ? html`<span class="small-value">× NaN</span>` : nothing}
    ${marks.infinite ? html`<span class="small-value">▲ infinite</span>` : nothing}
    ${marks.zero ? html`<span class="small-value">▽ exactly 0</span>` : nothing}
    ${marks.none ? html`<span class="small-value">– no data</span>` : nothing}
  </span>`;
}

/**
 * Which line is whose run, and the other's steps where they are not the selected ones: it may have
 * ended before, or be recorded less often.
 *
 * @param {import("../charts/profile.js").ProfileBeside} beside
 * @param {string} color
 * @param {[number, number]} steps
 */
function runKey({ run, color: other, heat, cell }, color, [first, last]) {
  const apart = first >= heat.edges[cell + 1] || last < heat.edges[cell];
  const { first_steps: from, last_steps: to } = heat.header;
  return html`<span class="small-value"><i class="dot" .style=${`background:${color}`}></i>this run</span>
    <span class="small-value"><i class="dot" .style=${`background:${other}`}></i><span>${inlineName(run)}${
      apart ? `, at its ${formatStepRange(from[cell], to[cell])}` : nothing
    }</span></span>`;
}

/**
 * @param {import("../types.js").Heat} heat
 * @param {number} cell
 * @returns {[number, number]}
 */
function stepsOf({ header }, cell) {
  return [stepNumber(header.first_steps[cell]), stepNumber(header.last_steps[cell])];
}
