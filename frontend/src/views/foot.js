/**
 * The foot of the page: the way to the list of keys, and the version.
 */
import { html } from "lit-html";

/**
 * @param {string} version Of the plugin.
 * @param {{showHelp: () => void}} handlers
 */
export function pageFoot(version, handlers) {
  return html`<footer class="page-foot">
    <button type="button" class="link" aria-haspopup="dialog" @click=${handlers.showHelp}>Keyboard <kbd>?</kbd></button>
    <span>tb_convergence ${version}</span>
  </footer>`;
}
