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
          : html`There is no run ${inlineName(asked)} here (any more): shown is
              ${shown === null ? "none" : inlineName(shown)}.`
      }
      ${
        rest.length
          ? html`${asked === null ? "" : "Also "}${many ? "Runs" : "Run"}
              ${rest.map((run, index) => html`${index ? ", " : ""}${inlineName(run)}`)},
              to compare with, ${many ? "are" : "is"} not here.`
          : nothing
      }
      As soon as TensorBoard has read it, it is shown.</span>
    <button type="button" class="button" @click=${forget}>Dismiss</button>
  </div>`;
}
