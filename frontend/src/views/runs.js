/**
 * The strip of runs: which are sick and what is the first cause of each; which to look at, which to
 * put beside it. One line high; the rest is in the table of runs.
 *
 * @import { RunSummary, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { visible } from "../format/names.js";
import { counted, formatNumber } from "../format/numbers.js";
import { badness, VERDICT_WORD, verdictOf } from "../format/severity.js";
import { sign } from "./icon.js";
import { runChip } from "./run_chip.js";
import { runKeys } from "./run_keys.js";

/** Chips drawn: beyond, nobody reads them, and the table has the rest. */
export const MOST_CHIPS = 24;

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
 * The chips to draw: the first ones, and what is looked at wherever it stands.
 *
 * @param {RunSummary[]} shown
 * @param {Set<string>} always
 */
export function drawnRuns(shown, always) {
  return shown.filter((run, index) => index < MOST_CHIPS || always.has(run.run));
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
export function runsBar(data, handlers) {
  const { runs, shown, selected, compared, view, color, mark } = data;
  const beside = new Set(compared.map((run) => run.run));
  const hidden = new Set(view.hiddenRuns);
  const chosen = runs.filter((run) => run.run === selected && !shown.includes(run));
  const drawn = drawnRuns([...chosen, ...shown], new Set([...beside, selected ?? ""]));
  // One chip is reached with Tab; arrow keys go on from there.
  const entry = drawn.find((run) => run.run === selected) ?? drawn[0];
  return html`<nav class="runs" aria-label="Runs">
    ${runs.length > 1 ? html`<p class="run-count soft">${count(data)}</p>` : nothing}
    <ul class="chips" @keydown=${(/** @type {KeyboardEvent} */ event) => runKeys(event, handlers)}>
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
              alone: runs.length === 1,
            },
            handlers,
          ),
      )}
    </ul>
    ${runs.length > 1 ? tools(data, handlers) : nothing}
  </nav>`;
}

/**
 * How many runs there are; while they are examined, how far that is.
 *
 * @param {RunsData} data
 */
function count({ runs, shown, pending }) {
  if (pending > 0) {
    return html`<label class="progress"><progress max=${runs.length} .value=${runs.length - pending}></progress>
      examined ${formatNumber(runs.length - pending, 9)} of ${formatNumber(runs.length, 9)}</label>`;
  }
  return shown.length < runs.length
    ? `${formatNumber(shown.length, 9)} of ${counted(runs.length, "run")}, worst first`
    : `${counted(runs.length, "run")}, worst first`;
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function tools(data, handlers) {
  const { runs, view } = data;
  const away = runs.filter((run) => view.hiddenRuns.includes(run.run)).length;
  return html`<div class="run-tools">
    ${
      away
        ? html`<button type="button" class="link" data-testid="hidden-runs" title="Show all runs again"
            @click=${handlers.showAllRuns}>${formatNumber(away, 9)} hidden</button>`
        : nothing
    }
    ${compareChoice(data, handlers)}
    <button type="button" class="button" data-testid="all-runs"
      @click=${() => handlers.setView({ page: "runs" })}>All runs ${sign("next")}</button>
  </div>`;
}

/**
 * @param {RunsData} data
 * @param {RunsHandlers} handlers
 */
function compareChoice({ runs, selected, compared }, handlers) {
  const offered = runs.filter((run) => run.run !== selected && run.error === null);
  if (offered.length === 0) return nothing;
  const current = compared.at(-1)?.run ?? null;
  // Healthy runs first: a sick run is held against a sound one.
  const sorted = [...offered]
    .sort((a, b) => badness(verdictOf(b)) - badness(verdictOf(a)))
    .slice(0, MOST_OFFERED);
  return html`<label class="field compare-with"><span class="hidden-label">Compare with</span>
    <select data-testid="compare-with" @change=${(/** @type {Event} */ event) => {
      const { selectedIndex } = /** @type {HTMLSelectElement} */ (event.target);
      handlers.compareWith(selectedIndex > 0 ? sorted[selectedIndex - 1].run : null);
    }}>
      <option value="" .selected=${current === null}>${current === null ? "Compare with…" : "Compare with nothing"}</option>
      ${sorted.map(
        (run) => html`<option value=${run.run} .selected=${run.run === current}
          >${visible(run.run)} (${VERDICT_WORD[verdictOf(run)]})</option>`,
      )}
    </select></label>`;
}

/** A longer list is searched in the table of runs. */
const MOST_OFFERED = 500;
