/**
 * The data check: what is odd, and what was looked at.
 *
 * @import { DataCheck, Issue } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { capital, visible } from "../format/names.js";
import { formatNumber } from "../format/numbers.js";
import { VERDICT_WORD } from "../format/severity.js";
import { icon } from "./icon.js";

/** @param {DataCheck} data */
export function dataCheck(data) {
  return html`<ul class="issues" data-testid="issues">${data.issues.map(issue)}</ul>
    <p class="note">Checked ${data.whole ? "all" : "a subset of"} ${formatNumber(data.samples)} samples${
      data.checked.length ? html`: ${data.checked.map(visible).join(", ")}.` : "."
    }${data.issues.length ? nothing : " No problem was found."}</p>`;
}

/** @param {Issue} issue */
function issue({ severity, where, message, advice }) {
  const known = severity === "critical" || severity === "warning" ? severity : "info";
  return html`<li class=${known}>${icon(known)}
    <div><p><span class="hidden-label">${VERDICT_WORD[known]}: </span><strong>${visible(where)}</strong>: ${visible(message)}</p>
    ${advice ? html`<p class="soft">${capital(visible(advice))}</p>` : nothing}</div></li>`;
}
