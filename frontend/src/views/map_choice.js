/**
 * While two runs are compared: whether the map shows the run or what differs, and how to read that.
 *
 * @import { Metric, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { isFraction } from "../format/numbers.js";
import { inlineName } from "./name.js";

/** @typedef {{run: string, other: string, name: string}} Beside */

/**
 * @param {Beside} beside
 * @param {View} view
 * @param {{setView: (change: Partial<View>) => void}} handlers
 */
function mapChoice({ run, other }, { map }, { setView }) {
  const dot = (/** @type {string} */ color) =>
    html`<i class="dot" .style=${`background:${color}`}></i>`;
  return html`<fieldset class="segments" data-testid="map-choice"><legend class="hidden-label">Map of</legend>
    <label><input type="radio" name="map" value="run" .checked=${map === "run"}
      @change=${() => setView({ map: "run" })} /><span>${dot(run)} Run</span></label>
    <label><input type="radio" name="map" value="difference" .checked=${map === "difference"}
      @change=${() => setView({ map: "difference" })} /><span>${dot(run)}${dot(other)} Difference</span></label>
  </fieldset>`;
}

/**
 * @param {Beside} beside
 * @param {Metric} metric
 */
function differenceCaption({ name }, metric) {
  const how =
    metric.scale === "log10"
      ? "how many times larger or smaller"
      : isFraction(metric)
        ? "difference of the fractions"
        : "how much larger or smaller";
  return html`in ${inlineName(name)}, against this run at equal steps: ${how}.
    <span class="arms"><i class="swatch more"></i>more in ${inlineName(name)}
    <i class="swatch less"></i>less</span>`;
}

/**
 * The row above the map while another run is compared.
 *
 * @param {import("./heatmap.js").HeatData} data
 * @param {{setView: (change: Partial<View>) => void}} handlers
 */
export function besideRow({ beside, metric, view }, handlers) {
  if (!beside) return nothing;
  return html`<div class="caption-row"><p class="caption">${
    view.map === "difference"
      ? html`<strong>${metric.title}</strong> ${differenceCaption(beside, metric)}`
      : nothing
  }</p>${mapChoice(beside, view, handlers)}</div>`;
}
