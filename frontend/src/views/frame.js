/**
 * The head of the page: its views, how the selected run is doing, and what holds for all views.
 *
 * @import { Live } from "../model/live.js"
 * @import { View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { formatNumber } from "../format/numbers.js";
import { linkToHere } from "../host/address.js";
import { sign } from "./icon.js";

/**
 * @typedef {object} FrameData
 * @property {View["page"]} page
 * @property {number} runs
 * @property {number | null} experiments  Of the selected run; null for none.
 * @property {Live | null} live
 * @property {boolean | null} notify  null where the browser has no notifications.
 *
 * @typedef {object} FrameHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {() => void} showHelp
 * @property {(on: boolean) => void} setNotify
 * @property {import("./states.js").Copy} copy
 */

/**
 * @param {FrameData} data
 * @param {FrameHandlers} handlers
 */
export function pageHead({ page, runs, experiments, live, notify }, handlers) {
  return html`<header class="page-head">
    <h1 class="hidden-label">Convergence</h1>
    <nav class="page-tabs" aria-label="Views">
      ${tab("diagnosis", "Diagnosis", null, page, handlers)}
      ${tab("runs", "Runs", runs, page, handlers)}
      ${tab("experiments", "Experiments", experiments, page, handlers)}
      ${tab("landscape", "Landscape", null, page, handlers)}
    </nav>
    ${live ? status(live, notify, handlers) : nothing}
    <button type="button" class="button" data-testid="copy-link" title="The link opens the current view"
      @click=${(/** @type {Event} */ event) =>
        handlers.copy(
          linkToHere(),
          /** @type {HTMLElement} */ (event.currentTarget),
        )}>${sign("copy")} <span>Copy link</span></button>
    <button type="button" class="button square" aria-haspopup="dialog" aria-label="Help: keys"
      title="Keyboard shortcuts (?)" @click=${handlers.showHelp}>?</button>
  </header>`;
}

/**
 * @param {View["page"]} which
 * @param {string} label
 * @param {number | null} count
 * @param {View["page"]} page
 * @param {FrameHandlers} handlers
 */
function tab(which, label, count, page, handlers) {
  return html`<button type="button" class="page-tab" data-testid="page-${which}"
    aria-current=${which === page ? "page" : "false"} @click=${() => handlers.setView({ page: which })}
    >${label}${count === null ? nothing : html` <span class="soft">${formatNumber(count, 9)}</span>`}</button>`;
}

/**
 * @param {Live} live
 * @param {boolean | null} notify
 * @param {FrameHandlers} handlers
 */
function status({ state, text, more, title }, notify, handlers) {
  return html`<p class="live ${state}" data-testid="live" data-state=${state} title=${title}>
    <i class="live-dot"></i><span><strong>${text}</strong>${more ? html`<span class="soft"> · ${more}</span>` : nothing}</span>
  </p>
  ${
    notify === null || state !== "running"
      ? nothing
      : html`<label class="check notify" title="Show a browser notification when a run becomes critical"><input type="checkbox"
          .checked=${notify} @change=${(/** @type {Event} */ event) =>
            handlers.setNotify(
              /** @type {HTMLInputElement} */ (event.target).checked,
            )} />Notify me</label>`
  }`;
}
