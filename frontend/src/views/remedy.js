/**
 * The change that the doctor proved to help, in the card of the finding that it treats.
 *
 * @import { Copy } from "./states.js"
 */
import { html } from "lit-html";
import { diffOf, toPaste } from "../experiments/diff.js";
import { sign } from "./icon.js";

/**
 * @param {string} remedy
 * @param {Copy} copy
 */
export function remedySection(remedy, copy) {
  return html`<section class="try remedy" data-testid="remedy"><h4>Change this
      <button type="button" class="button" @click=${(/** @type {Event} */ event) =>
        copy(
          toPaste(remedy),
          /** @type {HTMLElement} */ (event.currentTarget),
        )}>${sign("copy")} <span>Copy</span></button></h4>
    ${diffOf(remedy)}</section>`;
}
