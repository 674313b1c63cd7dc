/**
 * Told when an address names runs that are not there: what is shown instead.
 */
import { html, nothing } from "lit-html";
import { inlineName } from "./name.js";

/**
 * @param {string[]} missing
 * @param {{asked: string | null, shown: string | null}} selected  `asked`: the run to look at.
 * @param {() => void} forget
 */
export function missingBanner(missing, { asked, shown }, forget) {
  if (missing.length === 0) return nothing;
  const rest = missing.filter((run) => run !== asked);
  const many = rest.length > 1;
  return html`<div class="banner" role="status" data-testid="missing-runs"><span>
      ${
        asked === null
          ? nothing
          : html`There is no run ${inlineName(asked)} here (any more). The page shows
              ${shown === null ? "no run" : inlineName(shown)} instead.`
      }
      ${
        rest.length
          ? html`There ${many ? "are no runs" : "is no run"}
              ${rest.map((run, index) => html`${index ? ", " : ""}${inlineName(run)}`)} to compare with.`
          : nothing
      }
      If TensorBoard reads ${missing.length > 1 ? "them" : "it"} later, the page shows
      ${missing.length > 1 ? "them" : "it"}.</span>
    <button type="button" class="button" @click=${forget}>Dismiss</button>
  </div>`;
}
