/**
 * Says when what is on screen is older than it should be, or the page itself is.
 *
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";

/**
 * A refresh failed: what is on screen was read before.
 *
 * @param {State} state
 * @param {{refresh: () => void}} handlers
 */
export function stale({ slots, version }, handlers) {
  const failed = Object.values(slots).find((slot) => slot.status === "error" && slot.data !== null);
  if (!failed?.error) return renewed(slots.runs.data?.version ?? "", version);
  return html`<div class="banner" role="alert">
    <span>Could not refresh; the page shows earlier data. ${failed.error.message}${
      failed.error.reason === "network" ? " This page reconnects by itself." : ""
    }</span>
    <button type="button" class="button" @click=${failed.error.reason === "schema" ? () => location.reload() : handlers.refresh}>
      ${failed.error.reason === "schema" ? "Reload the page" : "Try again"}</button>
  </div>`;
}

/**
 * The plugin was updated beneath an open page.
 *
 * @param {string} served
 * @param {string} opened
 */
function renewed(served, opened) {
  if (served === opened) return nothing;
  return html`<div class="banner" role="status">
    <span>TensorBoard now runs version ${served} of this plugin, but this page is version ${opened}. Reload the page to use the new one.</span>
    <button type="button" class="button" @click=${() => location.reload()}>Reload the page</button>
  </div>`;
}
