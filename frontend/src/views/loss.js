/**
 * Loss, validation loss and learning rate on one time axis, with what a person sets about it.
 *
 * @import { LineProps } from "../charts/line.js"
 * @import { Series, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createLineChart } from "../charts/line.js";
import { withLater } from "../host/later.js";
import { edgeKey } from "./edge_key.js";
import { exportMenu } from "./export_menu.js";
import { fullButton } from "./full_button.js";
import { createLegend } from "./legend.js";
import { mount } from "./mount.js";

/**
 * @typedef {object} LossData
 * @property {LineProps} chart
 * @property {import("./legend.js").LegendProps} legend
 * @property {View} view
 * @property {boolean} log
 * @property {boolean} norms  Whether there are global norms to switch to.
 * @property {boolean} metrics  Whether there are metrics of the framework.
 * @property {Series[]} all  Series that can be pinned.
 * @property {string[]} notes
 * @property {import("../charts/line_marks.js").EdgeKind[]} edges  Marks on the chart's edge.
 * @property {boolean} negative  Whether there are values below 0.
 * @property {Series[]} series
 *
 * @typedef {object} LossHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {() => void} redraw
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

/**
 * @param {LossData} data
 * @param {LossHandlers} handlers
 */
export function lossPanel(data, handlers) {
  const { view, log, notes } = data;
  const title =
    data.norms || data.metrics
      ? chartChoice(data, handlers)
      : html`<h2>${data.series.some(({ name }) => name === "learning_rate") ? "Loss and learning rate" : "Loss"}</h2>`;
  if (data.series.length === 0) {
    return html`<header class="panel-head">${title}</header>
      <div class="hint"><p>
        This run has no such curve. Scalars named <code>loss</code>, <code>val_loss</code> or
        <code>learning_rate</code> are shown here.
      </p></div>`;
  }
  return html`<header class="panel-head controls">
      ${title} ${how(data)}
      <span class="spring"></span>
      <label class="check"><input type="checkbox" .checked=${log}
        @change=${(/** @type {Event} */ event) =>
          handlers.setView({
            log: /** @type {HTMLInputElement} */ (event.target).checked,
          })} /> Log scale</label>
      <label class="check" title="The y axis leaves out the outermost 2% at either end"><input type="checkbox" .checked=${view.outliers}
        @change=${(/** @type {Event} */ event) =>
          handlers.setView({
            outliers: /** @type {HTMLInputElement} */ (event.target).checked,
          })} /> Ignore outliers</label>
      ${smoothing(view, handlers)}
      <div class="card-tools">${withLater(({ pins }) => pins(data, handlers), handlers.redraw, nothing)}
        ${fullButton("time", "the curves", view, handlers)}
        ${exportMenu("curves", "the curves", ["png", "svg", "csv", "json"], handlers)}</div>
    </header>
    <div class="timeline" data-testid="loss-chart">
      ${mount(createLegend, data.legend)} ${mount(createLineChart, data.chart)}
    </div>
    ${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

/**
 * What the marks on the edge of the plot are.
 *
 * @param {LossData} data
 */
function how({ edges, negative }) {
  if (edges.length === 0) return nothing;
  return html`<span class="soft small legend-edges">${edgeKey(edges, negative)}</span>`;
}

/**
 * @param {LossData} data
 * @param {LossHandlers} handlers
 */
function chartChoice(data, handlers) {
  const { view } = data;
  return html`<h2 class="hidden-label">Curves of the whole run</h2>
    <fieldset class="segments"><legend class="hidden-label">Curves</legend>
      ${
        /** @type {const} */ ([
          ["loss", "Loss"],
          ["norms", "Global norms"],
          ["metrics", "Metrics"],
        ])
          .filter(([value]) => value === "loss" || data[value])
          .map(
            ([value, label]) => html`<label><input type="radio" name="chart" value=${value}
          .checked=${view.chart === value} @change=${() => handlers.setView({ chart: value })} /><span>${label}</span></label>`,
          )
      }
    </fieldset>`;
}

/**
 * @param {View} view
 * @param {LossHandlers} handlers
 */
function smoothing(view, handlers) {
  return html`<label class="field" title="Thin line: as recorded. Thick line: smoothed.">Smoothing
    <input type="range" min="0" max="0.99" step="0.01" .value=${String(view.smoothing)}
      @input=${(/** @type {Event} */ event) =>
        handlers.setView({
          smoothing: Number(/** @type {HTMLInputElement} */ (event.target).value),
        })} />
    <output>${view.smoothing.toFixed(2)}</output>
  </label>`;
}
