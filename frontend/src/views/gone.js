/**
 * Findings that were there when the page was opened, or came after that, and are gone.
 *
 * @import { Gone } from "../state/watched.js"
 */
import { html } from "lit-html";
import { visible } from "../format/names.js";
import { formatStep } from "../format/steps.js";

/**
 * @param {readonly Gone[]} gone  Not empty.
 * @param {string} unit  What a step is called.
 */
export function goneList(gone, unit) {
  return html`<section class="aside" data-testid="gone"><h4>No longer found</h4>
    <ul class="plain">${gone.map(
      ({ title, step }) => html`<li>${visible(title)}: gone since ${unit} ${formatStep(step)}</li>`,
    )}</ul></section>`;
}
