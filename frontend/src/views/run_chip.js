/**
 * One run in the bar: its colour, its name, its worst finding; to compare it, to put it away.
 *
 * @import { RunSummary, Verdict } from "../types.js"
 * @import { RunsHandlers } from "./runs.js"
 */
import { html, nothing } from "lit-html";
import { fullName, visible } from "../format/names.js";
import { verdictOf } from "../format/severity.js";
import { sign, verdictIcon } from "./icon.js";
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
 * @property {boolean} tools  Whether there is another run to compare with.
 */

/**
 * @param {ChipData} data
 * @param {RunsHandlers} handlers
 */
export function runChip({ run, color, mark, selected, compared, hidden, entry, tools }, handlers) {
  const verdict = verdictOf(run);
  const state = `${verdict} ${compared ? "compared" : ""} ${hidden ? "put-away" : ""}`;
  return html`<li class="chip-item ${tools ? "with-tools" : ""}">
    <button type="button" class="chip ${state}" data-testid="run-chip" data-run=${run.run}
      data-verdict=${verdict} aria-pressed=${selected ? "true" : "false"} tabindex=${entry ? 0 : -1}
      aria-keyshortcuts=${tools ? "V X" : nothing} title=${tools ? title(run) : fullName(run.run)}
      @click=${() => handlers.selectRun(run.run)}>
      <span class="chip-name"><i class="dot ${mark}" .style=${`background:${color}`}></i>${name(run.run, 72)}</span>
      <span class="chip-verdict ${verdict}">${verdictIcon(verdict)}<span>${verdictText(run, verdict)}</span></span>
    </button>
    ${tools ? buttons(run, selected, compared, hidden, handlers) : nothing}
  </li>`;
}

/**
 * @param {RunSummary} run
 * @param {boolean} selected
 * @param {boolean} compared
 * @param {boolean} hidden
 * @param {RunsHandlers} handlers
 */
function buttons({ run, error }, selected, compared, hidden, handlers) {
  const shown = visible(run);
  return html`<span class="chip-tools">
    ${
      selected || error !== null
        ? nothing
        : html`<button type="button" class="chip-tool" tabindex="-1" data-testid="compare-run"
            aria-pressed=${compared ? "true" : "false"} aria-label="Compare with ${shown}"
            title=${compared ? "No longer compare (V)" : "Compare with the selected run (V)"}
            @click=${() => handlers.toggleCompared(run)}>${sign("compare")}</button>`
    }
    <button type="button" class="chip-tool" tabindex="-1" data-testid="hide-run"
      aria-pressed=${hidden ? "true" : "false"} aria-label="Hide ${shown}"
      title=${hidden ? "Unhide this run (X)" : "Hide this run (X)"}
      @click=${() => handlers.toggleHiddenRun(run)}>${sign(hidden ? "hide" : "show")}</button>
  </span>`;
}

/** @param {RunSummary} run */
function title({ run, source_runs: sources }) {
  const of =
    sources.length > 1 ? `\nOne run, read from ${sources.map(fullName).join(" and ")}.` : "";
  return `${fullName(run)}${of}\nArrow keys: next run. Enter: select. V: compare. X: hide.`;
}

/**
 * @param {RunSummary} run
 * @param {Verdict} verdict
 */
function verdictText(run, verdict) {
  if (verdict === "error") return "Cannot be read";
  if (run.first) return run.first.title;
  if (verdict === "healthy") return "No finding";
  if (verdict === "pending") return "Being examined…";
  return "Not enough data";
}
