/**
 * The runs bar: which runs are sick, and what is the first cause of each.
 *
 * @import { RunSummary, Verdict, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { runColor } from "../charts/palette.js";
import { counted, formatNumber } from "../format/numbers.js";
import { badness, VERDICT_WORD, VERDICTS, verdictOf } from "../format/severity.js";
import { sign, verdictIcon } from "./icon.js";
import { name } from "./name.js";

/** More chips than this are not drawn at once: nobody reads them, and the filter finds the rest. */
const MAX_CHIPS = 400;
/** From this many runs on, there is a filter. */
const FILTER_FROM = 6;

/**
 * @typedef {object} RunsData
 * @property {RunSummary[]} runs  In the server's order, which decides the colours.
 * @property {RunSummary[]} shown  Filtered, worst first.
 * @property {string | null} selected
 * @property {View} view
 * @property {"light" | "dark"} theme
 * @property {number} pending
 *
 * @typedef {object} RunsHandlers
 * @property {(run: string) => void} selectRun
 * @property {(text: string) => void} filterRuns
 * @property {(verdict: Verdict | null) => void} filterVerdict
 * @property {() => void} toggleAllRuns
 */

/**
 * Worst first, then as listed.
 *
 * @param {RunSummary[]} runs
 * @param {string} filter
 * @param {Verdict | null} verdict
 */
export function orderRuns(runs, filter, verdict) {
  const wanted = filter.trim().toLowerCase();
  return runs
    .map((run, index) => ({ run, index, bad: badness(verdictOf(run)) }))
    .filter(({ run }) => verdict === null || verdictOf(run) === verdict)
    .filter(({ run }) => !wanted || run.run.toLowerCase().includes(wanted))
    .sort((a, b) => a.bad - b.bad || a.index - b.index)
    .map(({ run }) => run);
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
export function runsBar(data, handlers) {
  const { runs, shown, view } = data;
  const many = runs.length >= FILTER_FROM;
  const index = new Map(runs.map((run, position) => [run.run, position]));
  return html`<nav class="runs ${view.allRuns ? "all" : ""}" aria-label="Runs">
    ${many ? overview(data, handlers) : nothing}
    <ul class="chips">
      ${repeat(
        shown.slice(0, MAX_CHIPS),
        (run) => run.run,
        (run) => chip(run, index.get(run.run) ?? 0, data, handlers),
      )}
      ${
        shown.length > MAX_CHIPS
          ? html`<li class="more">and ${counted(shown.length - MAX_CHIPS, "more run")}: use the filter</li>`
          : nothing
      }
      ${shown.length === 0 ? html`<li class="more">No run matches.</li>` : nothing}
    </ul>
  </nav>`;
}

/**
 * How many runs are how sick; each count filters the list.
 *
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function overview({ runs, view, pending }, handlers) {
  const counts = VERDICTS.map((verdict) => ({
    verdict,
    count: runs.filter((run) => verdictOf(run) === verdict).length,
  })).filter(({ count }) => count > 0);
  return html`<div class="overview">
    <strong>${counted(runs.length, "run")}</strong>
    <div class="tallies" role="group" aria-label="Show only runs that are">
      ${counts.map(
        ({ verdict, count }) => html`<button type="button" class="tally ${verdict}"
          aria-pressed=${view.runVerdict === verdict ? "true" : "false"}
          title="Show only these runs"
          @click=${() => handlers.filterVerdict(view.runVerdict === verdict ? null : verdict)}
        >${verdictIcon(verdict)} ${formatNumber(count, 9)} ${VERDICT_WORD[verdict]}</button>`,
      )}
      ${pending > 0 ? progress(runs.length - pending, runs.length) : nothing}
    </div>
    <label class="search">${sign("search")}<span class="hidden-label">Filter runs</span>
      <input type="search" placeholder="Filter runs" .value=${view.runFilter}
        @input=${(/** @type {InputEvent} */ event) =>
          handlers.filterRuns(/** @type {HTMLInputElement} */ (event.target).value)} />
    </label>
    <button type="button" class="button quiet" aria-expanded=${view.allRuns ? "true" : "false"}
      @click=${handlers.toggleAllRuns}>${view.allRuns ? "Show one row" : "Show all"}</button>
  </div>`;
}

/**
 * How far examining is. Begin and end are announced; each run between would be noise.
 *
 * @param {number} done
 * @param {number} all
 */
function progress(done, all) {
  return html`<label class="progress soft"><progress max=${all} .value=${done}></progress>
    examined ${formatNumber(done, 9)} of ${formatNumber(all, 9)}</label>`;
}

/**
 * @param {RunSummary} run
 * @param {number} index
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function chip(run, index, { selected, theme }, handlers) {
  const verdict = verdictOf(run);
  return html`<li>
    <button type="button" class="chip ${verdict}" data-testid="run-chip" data-run=${run.run}
      data-verdict=${verdict}
      aria-pressed=${run.run === selected ? "true" : "false"}
      @click=${() => handlers.selectRun(run.run)}>
      <span class="chip-name"><i class="dot" style="background:${runColor(index, theme)}"></i>${name(run.run)}</span>
      <span class="chip-verdict ${verdict}">${verdictIcon(verdict)}<span>${verdictText(run, verdict)}</span></span>
    </button>
  </li>`;
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
