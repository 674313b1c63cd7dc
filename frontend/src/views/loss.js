/**
 * Loss, validation loss and learning rate on one time axis, with what a person sets about it.
 *
 * @import { LineProps } from "../charts/line.js"
 * @import { Series, View, XAxis } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createLineChart } from "../charts/line.js";
import { exportMenu } from "./export_menu.js";
import { sign } from "./icon.js";
import { createLegend } from "./legend.js";
import { mount } from "./mount.js";

/**
 * @typedef {object} LossData
 * @property {LineProps} chart
 * @property {import("./legend.js").LegendProps} legend
 * @property {View} view
 * @property {boolean} log
 * @property {boolean} norms  Whether there are global norms to switch to.
 * @property {string[]} notes
 * @property {Series[]} series
 *
 * @typedef {object} LossHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

/**
 * @param {LossData} data
 * @param {LossHandlers} handlers
 */
export function lossPanel(data, handlers) {
  const { view, log, notes } = data;
  const title = data.norms ? chartChoice(view, handlers) : html`<h2>Loss and learning rate</h2>`;
  if (data.series.length === 0) {
    return html`<header class="panel-head">${title}</header>
      <div class="hint"><p>
        This run has no such curve. Scalars named <code>loss</code>, <code>val_loss</code> or
        <code>learning_rate</code> are shown here.
      </p></div>`;
  }
  return html`<header class="panel-head controls">
      ${title}
      <span class="spring"></span>
      ${view.zoom ? resetZoom(handlers) : nothing}
      <label class="check"><input type="checkbox" .checked=${log}
        @change=${(/** @type {Event} */ event) =>
          handlers.setView({
            log: /** @type {HTMLInputElement} */ (event.target).checked,
          })} /> Log scale</label>
      ${smoothing(view, handlers)} ${axisChoice(view, handlers)}
      ${exportMenu("curves", "the curves", ["png", "csv", "json"], handlers)}
    </header>
    <div class="timeline" data-testid="loss-chart">
      ${mount(createLegend, data.legend)} ${mount(createLineChart, data.chart)}
    </div>
    ${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

/**
 * @param {View} view
 * @param {LossHandlers} handlers
 */
function axisChoice(view, handlers) {
  return html`<label class="field">X axis
    <select @change=${(/** @type {Event} */ event) =>
      handlers.setView({
        x: /** @type {XAxis} */ (/** @type {HTMLSelectElement} */ (event.target).value),
        zoom: null,
      })}>
      ${AXES.map(
        ([value, label]) =>
          html`<option value=${value} .selected=${view.x === value}>${label}</option>`,
      )}
    </select>
  </label>`;
}

const AXES = /** @type {const} */ ([
  ["step", "Step"],
  ["relative", "Relative"],
  ["wall", "Wall"],
]);

/**
 * @param {View} view
 * @param {LossHandlers} handlers
 */
function chartChoice(view, handlers) {
  return html`<h2 class="hidden-label">Curves of the whole run</h2>
    <fieldset class="segments"><legend class="hidden-label">Curves</legend>
      ${
        /** @type {const} */ ([
          ["loss", "Loss"],
          ["norms", "Global norms"],
        ]).map(
          ([value, label]) => html`<label><input type="radio" name="chart" value=${value}
          .checked=${view.chart === value} @change=${() => handlers.setView({ chart: value })} /><span>${label}</span></label>`,
        )
      }
    </fieldset>`;
}

/** @param {LossHandlers} handlers */
function resetZoom(handlers) {
  return html`<button type="button" class="button" @click=${() => handlers.setView({ zoom: null })}
    title="Double-click on the curves does the same">${sign("close")} Reset zoom</button>`;
}

/**
 * @param {View} view
 * @param {LossHandlers} handlers
 */
function smoothing(view, handlers) {
  return html`<label class="field">Smoothing
    <input type="range" min="0" max="0.99" step="0.01" .value=${String(view.smoothing)}
      @input=${(/** @type {Event} */ event) =>
        handlers.setView({
          smoothing: Number(/** @type {HTMLInputElement} */ (event.target).value),
        })} />
    <output>${view.smoothing.toFixed(2)}</output>
  </label>`;
}
