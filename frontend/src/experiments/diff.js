/** Lines of code to change, as the doctor records them: a unified diff, or lines to add. */
import { html } from "lit-html";
import { visible } from "../format/names.js";

/** @param {string} text */
export function diffOf(text) {
  return html`<pre class="diff" tabindex="0" aria-label="The change" data-testid="doctor-diff">${text
    .split("\n")
    .map((line) => html`<code class=${kindOf(line)}>${visible(line) || " "}</code>`)}</pre>`;
}

/** @param {string} line Of a unified diff. */
export function kindOf(line) {
  if (/^(---|\+\+\+|@@)/.test(line)) return "place";
  if (line.startsWith("+")) return "added";
  return line.startsWith("-") ? "removed" : "";
}

/**
 * The lines that the change adds, without their marks: what a person pastes. The whole text where it
 * removes lines as well: then the places matter.
 *
 * @param {string} text
 */
export function toPaste(text) {
  const kinds = text.split("\n").map((line) => [line, kindOf(line)]);
  if (kinds.some(([, kind]) => kind !== "added")) return text;
  return kinds.map(([line]) => line.replace(/^\+ ?/, "")).join("\n");
}
