/**
 * All runs as a table: verdict, first cause, onset, loss, what differs between them, and health over
 * the steps; to filter, sort, group, pick, and compare.
 *
 * @import { RunList } from "../model/run_list.js"
 * @import { GroupRow, RunRow, TableRow } from "../model/runs_table.js"
 * @import { RunsTable } from "../state/state.js"
 * @import { RunColumn, RunGrouping, RunState, RunSummary, View } from "../types.js"
 */
import { html, nothing, svg } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { lineWords, pieces } from "../data/health_line.js";
import { fullName, visible } from "../format/names.js";
import { counted, formatNumber } from "../format/numbers.js";
import { STATE_MARK, STATE_WORD, tallied, VERDICT_WORD } from "../format/severity.js";
import { formatStep, formatStepShort, stepNumber } from "../format/steps.js";
import { GROUP, grouping, ROW, runRows, tableRows, windowOf } from "../model/runs_table.js";
import { memo } from "../state/memo.js";
import { exportMenu } from "./export_menu.js";
import { sign, verdictIcon } from "./icon.js";
import { inlineName, name } from "./name.js";

/**
 * @typedef {object} TableData
 * @property {RunSummary[]} runs
 * @property {RunList} list
 * @property {View} view
 * @property {RunsTable} table
 * @property {string | null} selected
 * @property {(run: string) => string} color
 * @property {(run: string) => string} mark
 * @property {number} height  Of the page.
 * @property {string} colors  What is said of the runs' colors.
 *
 * @typedef {object} TableHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {(run: string) => void} openRun
 * @property {(run: string, rows: TableRow[], range: boolean) => void} pickRun
 * @property {(runs: string[]) => void} pickRuns
 * @property {() => void} comparePicked
 * @property {() => void} hidePicked
 * @property {() => void} showAllRuns
 * @property {(key: string) => void} foldGroup
 * @property {(top: number) => void} scrollTable
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

const rowsOf = memo(runRows);
const ordered = memo(
  (
    /** @type {RunRow[]} */ rows,
    /** @type {RunGrouping} */ groups,
    /** @type {RunColumn} */ sort,
    /** @type {boolean} */ down,
    /** @type {string[]} */ folded,
  ) => tableRows(rows, { groups, sort, down }, folded),
);

/** Runs of which more are compared than can be told apart in one chart. */
const MOST_PICKED = 4;

/**
 * @param {TableData} data
 * @param {TableHandlers} handlers
 */
export function runsTable(data, handlers) {
  const { runs, list, view, table } = data;
  const rows = rowsOf(runs, list.shown);
  const groups = grouping(view.runGroups, rows.length);
  const all = ordered(rows, groups, view.runSort, view.runSortDown, table.folded);
  const longest = Math.max(0, ...rows.map(({ run }) => stepNumber(run.last_step)));
  const drawn = windowOf(all, table.scrolled, data.height);
  return html`<main class="runs-page">
    <section class="card runs-card" aria-label="All runs">
      ${toolbar(data, groups, handlers)}
      <div class="table-scroll" data-testid="table-scroll" @scroll=${(/** @type {Event} */ event) =>
        handlers.scrollTable(/** @type {HTMLElement} */ (event.currentTarget).scrollTop)}>
        <table class="runs-table" data-testid="runs-table" aria-rowcount=${all.length + 1}>
          ${head(data, longest, handlers)}
          <tbody @keydown=${rowKeys}>
            ${spacer(drawn.above)}
            ${repeat(
              drawn.rows,
              (row) => (row.kind === "run" ? `run ${row.run.run}` : `group ${row.key}`),
              (row, index) =>
                row.kind === "run"
                  ? runRow(row, drawn.first + index, { longest, all, groups }, data, handlers)
                  : groupRow(row, drawn.first + index, handlers),
            )}
            ${spacer(drawn.below)}
          </tbody>
        </table>
        ${rows.length === 0 ? html`<p class="hint">No run matches. ${visible(list.error)}</p>` : nothing}
      </div>
      ${foot(data, handlers)}
    </section>
    ${PATTERNS}
  </main>`;
}

/** @param {number} height */
function spacer(height) {
  return height > 0
    ? html`<tr aria-hidden="true"><td colspan="9" class="spacer" .style=${`height:${height}px`}></td></tr>`
    : nothing;
}

/**
 * @param {TableData} data
 * @param {RunGrouping} groups
 * @param {TableHandlers} handlers
 */
function toolbar({ runs, list, view, table }, groups, handlers) {
  const { matching } = list;
  const away = runs.filter((run) => view.hiddenRuns.includes(run.run)).length;
  const pill = (
    /** @type {RunState | null} */ state,
    /** @type {unknown} */ label,
    /** @type {number} */ count,
  ) =>
    html`<button type="button" class="pill" data-testid="pill" data-state=${state ?? "all"}
      aria-pressed=${view.runState === state ? "true" : "false"}
      @click=${() => handlers.setView({ runState: view.runState === state ? null : state })}
      >${label} <strong>${formatNumber(count, 9)}</strong></button>`;
  return html`<header class="table-tools">
    <div class="pills" role="group" aria-label="Show only runs that are">
      ${pill(null, "All", matching.length)}
      ${tallied(matching).map(({ state, count }) =>
        pill(state, html`${verdictIcon(STATE_MARK[state])} ${STATE_WORD[state]}`, count),
      )}
    </div>
    <label class="search">${sign("search")}<span class="hidden-label">Filter runs by a regular expression</span>
      <input type="search" class="run-filter" data-testid="run-filter" placeholder="Filter runs (regex)" .value=${view.runFilter}
        aria-invalid=${list.error ? "true" : "false"} aria-describedby="filter-note" spellcheck="false"
        @input=${(/** @type {InputEvent} */ event) =>
          handlers.setView({
            runFilter: /** @type {HTMLInputElement} */ (event.target).value,
          })} /></label>
    <span id="filter-note" class=${list.error ? "filter-error" : "soft"} role="status">${
      list.error ||
      (view.runFilter
        ? `${formatNumber(matching.length, 9)} of ${counted(runs.length, "run")} match`
        : "")
    }</span>
    ${
      away
        ? html`<button type="button" class="link" data-testid="hidden-runs" @click=${handlers.showAllRuns}
            >Show ${counted(away, "hidden run")}</button>`
        : nothing
    }
    <span class="spring"></span>
    <label class="field">Group by
      <select data-testid="group-runs" @change=${(/** @type {Event} */ event) =>
        handlers.setView({
          runGroups: /** @type {RunGrouping} */ (
            /** @type {HTMLSelectElement} */ (event.target).value
          ),
        })}>
        ${GROUPINGS.map(
          ([value, label]) =>
            html`<option value=${value} .selected=${value === groups}>${label}</option>`,
        )}
      </select></label>
    ${exportMenu("runs", "the runs", ["csv", "json"], handlers)}
    ${table.picked.length ? html`<span class="hidden-label" role="status">${counted(table.picked.length, "run")} selected</span>` : nothing}
  </header>`;
}

/** @type {[RunGrouping, string][]} */
const GROUPINGS = [
  ["cause", "Cause"],
  ["verdict", "Verdict"],
  ["folder", "Folder"],
  ["none", "Nothing"],
];

/** @type {[RunColumn, string, boolean][]} Column, its title, and whether it holds numbers. */
const COLUMNS = [
  ["run", "Run", false],
  ["verdict", "Verdict", false],
  ["cause", "First cause, where", false],
  ["onset", "Onset", true],
  ["last", "Last step", true],
  ["loss", "Last loss", true],
];

/**
 * @param {TableData} data
 * @param {number} longest
 * @param {TableHandlers} handlers
 */
function head({ view, list, table }, longest, handlers) {
  const names = list.shown.map((run) => run.run);
  const picked = names.filter((run) => table.picked.includes(run)).length;
  return html`<thead><tr aria-rowindex="1">
    <th scope="col" class="pick"><input type="checkbox" aria-label="Select all runs that are shown"
      .checked=${picked > 0 && picked === names.length}
      .indeterminate=${picked > 0 && picked < names.length}
      @change=${() => handlers.pickRuns(picked === names.length ? [] : names)} /></th>
    ${COLUMNS.map(([column, title, numeric]) => {
      const on = view.runSort === column;
      return html`<th scope="col" class="col-${column} ${numeric ? "number" : ""}"
        aria-sort=${on ? (view.runSortDown ? "descending" : "ascending") : "none"}>
        <button type="button" class="sort" @click=${() =>
          handlers.setView({ runSort: column, runSortDown: on ? !view.runSortDown : false })}
          >${title}<span class="arrow" aria-hidden="true">${on ? (view.runSortDown ? "▼" : "▲") : "▴"}</span></button></th>`;
    })}
    <th scope="col" class="col-changed">Settings that differ</th>
    <th scope="col" class="col-health"><span class="hidden-label">Health over steps</span>${stepAxis(longest)}</th>
  </tr></thead>`;
}

/**
 * The shared axis of the health lines.
 *
 * @param {number} longest
 */
function stepAxis(longest) {
  if (longest <= 0) return html`<span class="step-axis"><span>step 0</span></span>`;
  const middle = longest / 2;
  return html`<span class="step-axis"><span>step 0</span><span>${formatStepShort(Math.round(middle))}</span><span>${formatStepShort(longest)}</span></span>`;
}

/**
 * @param {GroupRow} row
 * @param {number} index
 * @param {TableHandlers} handlers
 */
function groupRow({ key, title, mark, count, folded }, index, handlers) {
  return html`<tr class="group-row" data-testid="run-group" aria-rowindex=${index + 2} .style=${`height:${GROUP}px`}>
    <th scope="rowgroup" colspan="9"><button type="button" class="group-button" aria-expanded=${folded ? "false" : "true"}
      @click=${() => handlers.foldGroup(key)}><span class="chevron" aria-hidden="true">${sign("next")}</span>${
        mark ? verdictIcon(mark) : nothing
      }<strong>${title}</strong> <span class="soft">${counted(count, "run")}</span></button></th></tr>`;
}

/**
 * @param {RunRow} row
 * @param {number} index
 * @param {{longest: number, all: TableRow[], groups: RunGrouping}} table
 * @param {TableData} data
 * @param {TableHandlers} handlers
 */
function runRow(row, index, { longest, all, groups }, data, handlers) {
  const { run, mark, state, cause, where, onset, loss, changed } = row;
  const { table, selected, color } = data;
  const picked = table.picked.includes(run.run);
  const sick = state === "sick";
  const told = !sick ? cause : groups === "cause" ? where : `${cause} · ${where}`;
  return html`<tr class="run-row ${picked ? "picked" : ""} ${run.run === selected ? "current" : ""}"
    data-testid="run-row" data-run=${run.run} aria-rowindex=${index + 2} .style=${`height:${ROW}px`}>
    <td class="pick"><input type="checkbox" .checked=${picked} aria-label="Select ${fullName(run.run)}"
      @click=${(/** @type {MouseEvent} */ event) => handlers.pickRun(run.run, all, event.shiftKey)} /></td>
    <th scope="row" class="col-run"><button type="button" class="open-run" data-testid="open-run"
      title="Open ${fullName(run.run)}" @click=${() => handlers.openRun(run.run)}
      ><i class="dot ${data.mark(run.run)}" .style=${`background:${color(run.run)}`}></i>${name(run.run)}</button></th>
    <td class="col-verdict ${mark}"><span>${verdictIcon(mark)} ${STATE_WORD[state]}${
      mark === "warning"
        ? html`<span class="hidden-label"> (${VERDICT_WORD[mark]})</span>`
        : nothing
    }</span></td>
    <td class="col-cause ${sick ? "" : "soft"}" title=${sick ? `${cause}\n${where}` : told}>${told}</td>
    <td class="number">${onset === null ? "–" : formatStep(onset)}</td>
    <td class="number">${stepNumber(run.last_step) < 0 ? "–" : formatStep(run.last_step)}</td>
    <td class="number ${loss !== null && !Number.isFinite(loss) ? "lost" : ""}">${formatNumber(loss)}</td>
    <td class="col-changed" title=${changed.join("\n")}>${
      changed.length
        ? html`<div class="settings">${changed.slice(0, CHIPS).map((one) => html`<code class="setting">${one}</code>`)}${
            changed.length > CHIPS
              ? html`<span class="soft">+${changed.length - CHIPS}</span>`
              : nothing
          }</div>`
        : html`<span class="soft">${Object.keys(run.settings ?? {}).length ? "nothing" : "not recorded"}</span>`
    }</td>
    <td class="col-health">${healthLine(row, longest)}</td>
  </tr>`;
}

/** Settings that are named; the others are counted. */
const CHIPS = 2;

/** Of a health line: a box about as wide as its column, to which it is stretched. */
const WIDE = 300;

/**
 * @param {RunRow} row
 * @param {number} longest
 */
function healthLine({ run, onset }, longest) {
  const last = stepNumber(run.last_step);
  const found = pieces(run.health ?? "");
  if (found.length === 0 || longest <= 0) return nothing;
  const scale = (WIDE * (last + 1)) / (longest + 1);
  const at = onset === null ? null : (WIDE * onset) / (longest + 1);
  return html`<svg class="health-line" viewBox="0 0 ${WIDE} 14" preserveAspectRatio="none" role="img"
    aria-label=${lineWords(found, last)}>
    ${found.map(
      ({ from, to, level }) => svg`<rect class="level ${level}" x=${from * scale} y="3"
        width=${Math.max(0.5, (to - from) * scale)} height="9"></rect>`,
    )}
    ${at === null ? nothing : svg`<rect class="onset" x=${Math.max(0, at - 0.7)} y="0" width="1.6" height="14"></rect>`}
  </svg>`;
}

/**
 * @param {TableData} data
 * @param {TableHandlers} handlers
 */
function foot({ table, runs, colors }, handlers) {
  const there = new Set(runs.map((run) => run.run));
  const picked = table.picked.filter((run) => there.has(run));
  return html`<footer class="table-foot">
    ${
      picked.length
        ? html`<strong>${counted(picked.length, "run")} selected</strong>
            <span class="picked-names soft">${picked.slice(0, 2).map((run, index) => html`${index ? " and " : ""}${inlineName(run)}`)}${
              picked.length > 2 ? ` and ${picked.length - 2} more` : nothing
            }</span>
            <button type="button" class="button filled" data-testid="compare-picked"
              ?disabled=${picked.length < 2 || picked.length > MOST_PICKED}
              title=${picked.length < 2 ? "Select two to four runs" : picked.length > MOST_PICKED ? "Compare up to four runs" : "Compare the first one with the others"}
              @click=${handlers.comparePicked}>Compare</button>
            <button type="button" class="button" data-testid="open-picked" @click=${() => handlers.openRun(picked[0])}>Open in Diagnosis</button>
            <button type="button" class="button" data-testid="hide-picked" @click=${handlers.hidePicked}>Hide</button>
            <button type="button" class="link" @click=${() => handlers.pickRuns([])}>Clear</button>`
        : html`<span class="soft">Click a run to open it. Tick two to four to compare them. ${colors}</span>`
    }
    <span class="spring"></span>
    <ul class="health-key" aria-label="Colors of the health lines: the worst layer at each step">
      <li>Worst layer at each step:</li>
      <li>${swatches(["within"])} within limits</li>
      <li>${swatches(["above-1", "above-2", "above-3", "above-4"])} above</li>
      <li>${swatches(["below-1", "below-2", "below-3", "below-4"])} below</li>
      <li>${swatches(["nan"])} NaN</li>
      <li>${swatches(["none"])} not recorded</li>
    </ul>
  </footer>`;
}

/** @param {string[]} levels */
function swatches(levels) {
  return html`<svg class="swatches" width=${levels.length === 1 ? 22 : 11 * levels.length} height="10" aria-hidden="true">${levels.map(
    (level, index) =>
      svg`<rect class="level ${level}" x=${index * 11} width=${levels.length === 1 ? 22 : 11} height="10"></rect>`,
  )}</svg>`;
}

/** Patterns of the lines: color is not the only sign of NaN and of nothing. */
const PATTERNS = html`<svg width="0" height="0" aria-hidden="true" class="patterns"><defs>
  <pattern id="pattern-nan" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect class="nan-ground" width="6" height="6"></rect><rect class="nan-mark" width="2" height="6"></rect></pattern>
  <pattern id="pattern-none" width="5" height="5" patternUnits="userSpaceOnUse">
    <rect class="none-ground" width="5" height="5"></rect><rect class="none-mark" x="1" y="1" width="1.4" height="1.4"></rect></pattern>
</defs></svg>`;

/**
 * Up and down go from run to run.
 *
 * @param {KeyboardEvent} event
 */
function rowKeys(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const at = /** @type {HTMLElement} */ (event.target).closest("tr");
  const body = /** @type {HTMLElement} */ (event.currentTarget);
  const buttons = /** @type {HTMLElement[]} */ ([
    ...body.querySelectorAll(".open-run, .group-button"),
  ]);
  const here = buttons.findIndex((button) => at?.contains(button));
  const next = buttons[here + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
