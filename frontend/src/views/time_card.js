/**
 * The x axis of all charts over time: which part of the run is in view, and what it counts.
 *
 * @import { OverviewProps } from "../charts/overview.js"
 * @import { View, XAxis } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createOverview } from "../charts/overview.js";
import { mount } from "./mount.js";

/**
 * @typedef {object} TimeData
 * @property {View} view
 * @property {OverviewProps} overview
 * @property {[number, number] | null} onset  The stretch around the onset of the finding.
 * @property {boolean} running  Whether records are still coming, so that there is something to follow.
 * @property {string} title  What is in view: "Steps 0 – 48".
 * @property {string | null} note  Why the map does not follow the axis; null where it does.
 *
 * @typedef {object} TimeHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {(axis: XAxis) => void} setAxis
 */

/**
 * @param {TimeData} data
 * @param {TimeHandlers} handlers
 */
export function timeCard({ view, overview, onset, running, title, note }, handlers) {
  const { extent, whole } = overview;
  const same = (/** @type {[number, number] | null} */ one) =>
    one !== null && extent[0] === one[0] && extent[1] === one[1];
  const choice = (
    /** @type {"onset" | "all" | "newest"} */ zoom,
    /** @type {string} */ label,
    /** @type {boolean} */ chosen,
    /** @type {boolean} */ off,
  ) => html`<label><input type="radio" name="window" value=${zoom} .checked=${chosen} ?disabled=${off}
      @change=${() => handlers.setView({ zoom })} /><span>${label}</span></label>`;
  return html`<header class="panel-head controls">
      <h2>${title}</h2><span class="soft small wide-only">shown in every chart below</span>
      <fieldset class="segments"><legend class="hidden-label">In view</legend>
        ${choice("onset", "Around the onset", same(onset), onset === null)}
        ${choice("all", "All steps", same(whole), false)}
        ${
          running || view.zoom === "newest"
            ? choice("newest", "Follow the run", view.zoom === "newest", false)
            : nothing
        }
      </fieldset>
      <span class="spring"></span>
      <fieldset class="segments"><legend class="segments-title">X axis</legend>
        ${AXES.map(
          ([value, label]) => html`<label><input type="radio" name="x" value=${value}
            .checked=${view.x === value} @change=${() => handlers.setAxis(value)} /><span>${label}</span></label>`,
        )}
      </fieldset>
    </header>
    ${mount(createOverview, overview)}
    ${note === null ? nothing : html`<p class="note">${note}</p>`}`;
}

const AXES = /** @type {const} */ ([
  ["step", "Step"],
  ["relative", "Relative"],
  ["wall", "Wall"],
]);
