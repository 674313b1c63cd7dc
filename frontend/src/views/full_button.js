/**
 * The button that lets one panel cover the page, and that ends it.
 *
 * @import { View } from "../types.js"
 */
import { html } from "lit-html";
import { sign } from "./icon.js";

/**
 * @param {NonNullable<View["full"]>} panel
 * @param {string} what In words, for the label.
 * @param {View} view
 * @param {{setView: (change: Partial<View>) => void}} handlers
 */
export function fullButton(panel, what, { full }, { setView }) {
  const on = full === panel;
  const label = on ? "Leave full screen (Escape)" : `Show ${what} in full screen`;
  return html`<button type="button" class="button square" data-full=${panel} aria-pressed=${on ? "true" : "false"}
    aria-label=${label} title=${label} @click=${() => setView({ full: on ? null : panel })}>${sign(on ? "close" : "expand")}</button>`;
}
