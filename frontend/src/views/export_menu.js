/**
 * The menu by which a view is taken away as a picture or as data.
 *
 * @import { Format, View } from "../export/export_file.js"
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
  return menu(
    `export-${view}`,
    `Export ${what}`,
    sign("download"),
    html`${formats.map(
      (format) =>
        html`<button type="button" class="button quiet" @click=${(/** @type {Event} */ event) => {
          const button = /** @type {HTMLElement} */ (event.currentTarget);
          const menu = /** @type {HTMLDetailsElement} */ (button.closest("details"));
          const panel = /** @type {HTMLElement} */ (menu.closest("section"));
          menu.open = false;
          menu.querySelector("summary")?.focus();
          handlers.exportView(view, format, panel);
        }}>${LABEL[format]}</button>`,
    )}`,
    true,
  );
}

/**
 * A button that opens a small list beneath it.
 *
 * @param {string} id  For tests.
 * @param {string} label
 * @param {unknown} face  What the button shows.
 * @param {unknown} choices
 * @param {boolean} [square]
 */
export function menu(id, label, face, choices, square = false) {
  return html`<details class="export" data-testid=${id} @keydown=${closeOnEscape} @focusout=${closeWhenLeft}>
    <summary class="button ${square ? "square" : ""}" aria-label=${label} title=${label}>${face}</summary>
    <div class="export-choices">${choices}</div>
  </details>`;
}

const LABEL = {
  png: "Picture (PNG, double size)",
  svg: "Picture (SVG)",
  csv: "Table (CSV)",
  json: "Data (JSON)",
};

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
