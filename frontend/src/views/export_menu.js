/**
 * The menu by which a view is taken away as a picture or as data.
 *
 * @import { Format, View } from "../export/parcel.js"
 */
import { html } from "lit-html";
import { sign } from "./icon.js";

/**
 * @typedef {object} ExportHandlers
 * @property {(view: View, format: Format, panel: HTMLElement) => void} exportView
 */

/**
 * @param {View} view
 * @param {string} what In words, for the label.
 * @param {Format[]} formats
 * @param {ExportHandlers} handlers
 */
export function exportMenu(view, what, formats, handlers) {
  return html`<details class="export" data-testid="export-${view}" @keydown=${closeOnEscape} @focusout=${closeWhenLeft}>
    <summary class="button square" aria-label="Export ${what}" title="Export ${what}">${sign("download")}</summary>
    <div class="export-choices">
      ${formats.map(
        (format) =>
          html`<button type="button" class="button quiet" @click=${(/** @type {Event} */ event) => {
            const button = /** @type {HTMLElement} */ (event.currentTarget);
            const menu = /** @type {HTMLDetailsElement} */ (button.closest("details"));
            const panel = /** @type {HTMLElement} */ (menu.closest("section"));
            menu.open = false;
            menu.querySelector("summary")?.focus();
            handlers.exportView(view, format, panel);
          }}>${LABEL[format]}</button>`,
      )}
    </div>
  </details>`;
}

const LABEL = { png: "Picture (PNG)", csv: "Table (CSV)", json: "Data (JSON)" };

/** @param {KeyboardEvent} event */
function closeOnEscape(event) {
  const menu = /** @type {HTMLDetailsElement} */ (event.currentTarget);
  if (event.key !== "Escape" || !menu.open) return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
}

/** @param {FocusEvent} event */
function closeWhenLeft(event) {
  const menu = /** @type {HTMLDetailsElement} */ (event.currentTarget);
  const next = /** @type {Node | null} */ (event.relatedTarget);
  if (!next || !menu.contains(next)) menu.open = false;
}
