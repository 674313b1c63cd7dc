/**
 * The small-sample fit: for each size, how much of it was memorized, and in how many steps.
 *
 * @import { Ladder, Rung } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { formatNumber, formatPercent } from "../format/numbers.js";
import { amount, measureName } from "./words.js";

/** @param {Ladder} data */
export function ladder(data) {
  const again = data.rungs.some((rung) => rung.with_adam !== null);
  const limit = data.threshold ?? 1;
  return html`<table class="ladder" data-testid="ladder">
      <thead><tr><th scope="col">Samples</th><th scope="col">Memorized</th>
        <th scope="col">${measureName(data.measure)}</th><th scope="col">Steps</th></tr></thead>
      <tbody>${data.rungs.map((rung) => rows(rung, limit))}</tbody>
    </table>
    <p class="note">Each bar shows the progress from a constant prediction (0%) to a perfect fit (100%). The line marks ${formatPercent(limit)}; from there on, the sample counts as memorized.${again ? " The second bar is a new attempt with Adam at 0.001." : ""}</p>`;
}

/**
 * @param {Rung} rung
 * @param {number} limit
 */
function rows(rung, limit) {
  return html`<tr>
    <th scope="row">${formatNumber(rung.size)}</th>
    <td>${bar(rung.learned, rung.memorized, limit, "unchanged")}
      ${rung.with_adam === null ? nothing : bar(rung.with_adam, rung.with_adam >= limit, limit, "with Adam", "adam")}</td>
    <td>${amount(rung.score)}</td>
    <td>${rung.memorized ? formatNumber(rung.steps) : html`not in ${formatNumber(rung.steps)}`}</td>
  </tr>`;
}

/**
 * @param {number | null} share
 * @param {boolean} enough
 * @param {number} limit
 * @param {string} what
 * @param {string} [how]
 */
function bar(share, enough, limit, what, how = "") {
  const part = Math.min(1, Math.max(0, share ?? 0));
  const said = `${what}: ${share === null ? "nothing learned" : formatPercent(part)}, ${enough ? "memorized" : "not memorized"}`;
  return html`<span class="gauge ${how} ${enough ? "" : "short"}" title=${said}>
    <span class="hidden-label">${said}</span><i .style=${`width:${part * 100}%`}></i><b .style=${`left:${limit * 100}%`}></b></span>`;
}
