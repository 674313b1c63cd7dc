/**
 * The runs bar: which runs are sick, and what is the first cause of each; which to look at, which
 * to put beside it, which to put away.
 *
 * @import { RunSummary, Verdict, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { matcher } from "../charts/order.js";
import { visible } from "../format/names.js";
import { counted, formatNumber } from "../format/numbers.js";
import { badness, tallied, VERDICT_WORD, verdictOf } from "../format/severity.js";
import { sign, verdictIcon } from "./icon.js";
import { runChip } from "./run_chip.js";
import { runKeys } from "./run_keys.js";

/** Chips drawn at a time: beyond, nobody reads them, and the filter finds the rest. */
export const PAGE = 60;
/** From this many runs on, there is a filter. */
const FILTER_FROM = 6;

/**
 * @typedef {object} RunsData
 * @property {RunSummary[]} runs  In the server's order.
 * @property {RunSummary[]} shown  Filtered and sorted.
 * @property {RunSummary[]} compared  Beside the selected one; the last one in detail.
 * @property {(run: string) => string} color
 * @property {(run: string) => string} mark  Shape of its dot.
 * @property {string | null} selected
 * @property {View} view
 * @property {number} pending
 *
 * @typedef {object} RunsHandlers
 * @property {(run: string) => void} selectRun
 * @property {(run: string) => void} toggleCompared
 * @property {(run: string | null) => void} compareWith
 * @property {(run: string) => void} toggleHiddenRun
 * @property {() => void} showAllRuns
 * @property {(change: Partial<View>) => void} setView
 */

/**
 * Worst first or by name; then as listed. Hidden ones only when they are asked for.
 *
 * @param {RunSummary[]} runs
 * @param {Pick<View, "runFilter" | "runVerdict" | "runSort" | "hiddenRuns" | "showHidden">} view
 */
export function orderRuns(runs, { runFilter, runVerdict, runSort, hiddenRuns, showHidden }) {
  const matches = matcher(runFilter);
  const hidden = new Set(hiddenRuns);
  const byName = new Intl.Collator("en", { numeric: true }).compare;
  return runs
    .map((run, index) => ({ run, index, bad: badness(verdictOf(run)) }))
    .filter(({ run }) => runVerdict === null || verdictOf(run) === runVerdict)
    .filter(({ run }) => matches(run.run) && (showHidden || !hidden.has(run.run)))
    .sort((a, b) =>
      runSort === "name"
        ? byName(a.run.run, b.run.run) || a.index - b.index
        : a.bad - b.bad || a.index - b.index,
    )
    .map(({ run }) => run);
}

/**
 * The chips to draw: the first pages, and what is looked at wherever it stands.
 *
 * @param {RunSummary[]} shown
 * @param {number} pages
 * @param {Set<string>} always
 */
export function drawnRuns(shown, pages, always) {
  const most = pages * PAGE;
  return shown.filter((run, index) => index < most || always.has(run.run));
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
export function runsBar(data, handlers) {
  const { runs, shown, selected, compared, view, color, mark } = data;
  const beside = new Set(compared.map((run) => run.run));
  const hidden = new Set(view.hiddenRuns);
  const drawn = drawnRuns(shown, view.runPages, new Set([...beside, selected ?? ""]));
  const left = shown.length - drawn.length;
  // One chip is reached with Tab; arrow keys go on from there.
  const entry = drawn.find((run) => run.run === selected) ?? drawn[0];
  return html`<nav class="runs ${view.allRuns ? "all" : ""}" aria-label="Runs">
    ${runs.length > 1 ? overview(data, handlers) : nothing}
    <div class="run-rows"><ul class="chips" @keydown=${(/** @type {KeyboardEvent} */ event) => runKeys(event, handlers)}>
      ${repeat(
        drawn,
        (run) => run.run,
        (run) =>
          runChip(
            {
              run,
              color: color(run.run),
              mark: mark(run.run),
              selected: run.run === selected,
              compared: beside.has(run.run),
              hidden: hidden.has(run.run),
              entry: run === entry,
              tools: runs.length > 1,
            },
            handlers,
          ),
      )}
      ${
        left > 0
          ? html`<li class="more"><button type="button" class="button"
              @click=${() => handlers.setView({ runPages: view.runPages + 1 })}
              >Show ${formatNumber(Math.min(left, PAGE), 9)} more of ${formatNumber(left, 9)}</button></li>`
          : nothing
      }
      ${shown.length === 0 ? html`<li class="more">No run matches.</li>` : nothing}
    </ul></div>
  </nav>`;
}

/**
 * How many runs are how sick, and what can be done with them.
 *
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function overview(data, handlers) {
  const { runs, view } = data;
  const many = runs.length >= FILTER_FROM;
  return html`<div class="overview">
    <strong>${counted(runs.length, "run")}</strong>
    ${tallies(data, handlers)} ${hiddenOnes(data, handlers)}
    <span class="spring"></span>
    ${compareChoice(data, handlers)}
    ${
      many
        ? html`<label class="field">Sort
              <select data-testid="sort-runs" @change=${(/** @type {Event} */ event) =>
                handlers.setView({
                  runSort: /** @type {View["runSort"]} */ (
                    /** @type {HTMLSelectElement} */ (event.target).value
                  ),
                })}>
                <option value="worst" .selected=${view.runSort === "worst"}>worst first</option>
                <option value="name" .selected=${view.runSort === "name"}>by name</option>
              </select></label>
            <label class="search">${sign("search")}<span class="hidden-label">Filter runs</span>
              <input type="search" placeholder="Filter runs" .value=${view.runFilter}
                title="Words that must all occur; | for alternatives, * for anything"
                @input=${(/** @type {InputEvent} */ event) =>
                  handlers.setView({
                    runFilter: /** @type {HTMLInputElement} */ (event.target).value,
                    runPages: 1,
                  })} />
            </label>
            <button type="button" class="button" aria-expanded=${view.allRuns ? "true" : "false"}
              title=${view.allRuns ? "Back to the first few" : "A line a run, all of them"}
              @click=${() => handlers.setView({ allRuns: !view.allRuns })}>${view.allRuns ? "Show fewer" : "Show all"}</button>`
        : nothing
    }
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
 * Counts by severity; each filters the list.
 *
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function tallies({ runs, view, pending }, handlers) {
  const toggle = (/** @type {Verdict} */ verdict) =>
    handlers.setView({ runVerdict: view.runVerdict === verdict ? null : verdict, runPages: 1 });
  return html`<div class="tallies" role="group" aria-label="Show only runs that are">
    ${tallied(runs).map(
      ({ verdict, text }) => html`<button type="button" class="tally ${verdict}"
        aria-pressed=${view.runVerdict === verdict ? "true" : "false"}
        title="Show only these runs" @click=${() => toggle(verdict)}
      >${verdictIcon(verdict)} ${text}</button>`,
    )}
    ${pending > 0 ? progress(runs.length - pending, runs.length) : nothing}
  </div>`;
}

/**
 * Runs that were put away, and how to get at them.
 *
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function hiddenOnes({ runs, view }, handlers) {
  const hidden = runs.filter((run) => view.hiddenRuns.includes(run.run)).length;
  if (hidden === 0) return nothing;
  return html`<span class="hidden-runs" data-testid="hidden-runs">
    <button type="button" class="tally" aria-pressed=${view.showHidden ? "true" : "false"}
      title=${view.showHidden ? "Put them out of sight again" : "List them beside the others, faint"}
      @click=${() => handlers.setView({ showHidden: !view.showHidden })}>${sign("hide")} ${formatNumber(hidden, 9)} hidden</button>
    <button type="button" class="link" @click=${handlers.showAllRuns}>Unhide all</button>
  </span>`;
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function compareChoice({ runs, selected, compared }, handlers) {
  const offered = runs.filter((run) => run.run !== selected && run.error === null);
  if (offered.length === 0) return nothing;
  const current = compared.at(-1)?.run ?? null;
  const sorted = [...offered].sort((a, b) => badness(verdictOf(b)) - badness(verdictOf(a)));
  return html`<label class="field compare-with">Compare with
    <select data-testid="compare-with" @change=${(/** @type {Event} */ event) => {
      const { selectedIndex } = /** @type {HTMLSelectElement} */ (event.target);
      handlers.compareWith(selectedIndex > 0 ? sorted[selectedIndex - 1].run : null);
    }}>
      <option value="" .selected=${current === null}>nothing</option>
      ${sorted.map(
        (run) => html`<option value=${run.run} .selected=${run.run === current}
          >${visible(run.run)} (${VERDICT_WORD[verdictOf(run)]})</option>`,
      )}
    </select></label>`;
}
