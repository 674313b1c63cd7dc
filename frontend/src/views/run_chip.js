/**
 * One run in the strip: its color, its name, its verdict and first cause.
 *
 * @import { RunSummary, Verdict } from "../types.js"
 * @import { RunsHandlers } from "./runs.js"
 */
import { html, nothing } from "lit-html";
import { fullName } from "../format/names.js";
import { stateOf, VERDICT_WORD, verdictOf } from "../format/severity.js";
import { verdictIcon } from "./icon.js";
import { name } from "./name.js";

/**
 * @typedef {object} ChipData
 * @property {RunSummary} run
 * @property {string} color
 * @property {string} mark  Shape of its dot.
 * @property {boolean} selected
 * @property {boolean} compared
 * @property {boolean} hidden
 * @property {boolean} entry  Whether Tab leads here.
 * @property {boolean} alone  Whether there is no other run.
 */

/**
 * @param {ChipData} data
 * @param {RunsHandlers} handlers
 */
export function runChip({ run, color, mark, selected, compared, hidden, entry, alone }, handlers) {
  const verdict = verdictOf(run);
  const state = `${verdict} ${compared ? "compared" : ""} ${hidden ? "put-away" : ""}`;
  return html`<li class="chip-item">
    <button type="button" class="chip ${state}" data-testid="run-chip" data-run=${run.run}
      data-verdict=${verdict} aria-pressed=${selected ? "true" : "false"} tabindex=${entry ? 0 : -1}
      aria-keyshortcuts=${alone ? nothing : "V X"} title=${title(run, verdict, alone)}
      @click=${() => handlers.selectRun(run.run)}>
      <span class="chip-name"><i class="dot ${mark}" .style=${`background:${color}`}></i>${name(run.run, 72)}</span>
      <span class="chip-verdict ${verdict}">${verdictIcon(verdict)}<span>${verdictText(run, verdict)}</span></span>
    </button>
  </li>`;
}

/**
 * @param {RunSummary} run
 * @param {Verdict} verdict
 * @param {boolean} alone
 */
function title(run, verdict, alone) {
  const lines = [fullName(run.run), `${VERDICT_WORD[verdict]}: ${verdictText(run, verdict)}`];
  if (run.source_runs.length > 1) {
    lines.push(`One run, read from ${run.source_runs.map(fullName).join(" and ")}.`);
  }
  if (!alone) lines.push("Arrow keys: next run. Enter: select. V: compare. X: hide.");
  return lines.join("\n");
}

/**
 * What the strip says of a run beneath its name.
 *
 * @param {RunSummary} run
 * @param {Verdict} verdict
 */
export function verdictText(run, verdict) {
  if (stateOf(run) === "sick" && run.first) return run.first.title;
  if (verdict === "unknown" && run.verdict?.applicable) {
    const { decided, applicable } = run.verdict;
    return `Not decided: ${applicable - decided} of ${applicable}`;
  }
  const word = VERDICT_WORD[verdict];
  return word.charAt(0).toUpperCase() + word.slice(1);
}
