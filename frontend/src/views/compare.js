/**
 * Two runs side by side: where they part, what was set differently, which findings only one has,
 * which statistics lie apart.
 *
 * @import { Pairs } from "../data/pairs.js"
 * @import { Slot } from "../data/loader.js"
 * @import { CompareReply, Difference, Group, RunSummary, StrictNumber } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { LABELS } from "../data/curves.js";
import { visible, words } from "../format/names.js";
import {
  counted,
  formatNumber,
  formatOrders,
  formatTimes,
  looseNumber,
} from "../format/numbers.js";
import { formatStep } from "../format/steps.js";
import { findingChanges } from "./compare_findings.js";
import { exportMenu } from "./export_menu.js";
import { sign } from "./icon.js";
import { inlineName, name } from "./name.js";
import { content } from "./states.js";

/** Lines of a table that are shown before the rest is asked for. */
const FIRST = 6;

/**
 * @typedef {object} CompareData
 * @property {Slot<CompareReply>} slot
 * @property {string} run
 * @property {RunSummary} other
 * @property {RunSummary[]} runs  All that are compared.
 * @property {(run: string) => string} color
 * @property {Group[]} groups
 *
 * @typedef {object} CompareHandlers
 * @property {(slot: string) => void} again
 * @property {() => void} swapRuns
 * @property {(run: string | null) => void} compareWith
 * @property {(run: string) => void} compareInDetail
 * @property {(statistic: string, row: string, step: number) => void} showDifference
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

/**
 * @param {CompareData} data
 * @param {CompareHandlers} handlers
 */
export function comparePanel(data, handlers) {
  const { slot, run, other, color } = data;
  return html`<header class="panel-head">
      <h2 class="versus">${letter("A", color(run))}${name(run)}<span class="soft">compared with</span>
        ${letter("B", color(other.run))}${name(other.run)}</h2>
      <span class="spring"></span>
      ${others(data, handlers)}
      <button type="button" class="button" data-testid="swap-runs" @click=${handlers.swapRuns}
        title="Show the other run, compared with this one">${sign("compare")} Swap</button>
      ${exportMenu("compare", "the comparison", ["csv", "json"], handlers)}
      <button type="button" class="button square quiet" data-testid="end-comparison"
        aria-label="End the comparison" title="End the comparison"
        @click=${() => handlers.compareWith(null)}>${sign("close")}</button>
    </header>
    ${content(slot, {
      what: "Comparison",
      retry: () => handlers.again("compare"),
      ready: (reply) => body(reply, data, handlers),
    })}`;
}

/**
 * What a run is called in the tables: a letter in its color.
 *
 * @param {"A" | "B"} which
 * @param {string} color
 */
function letter(which, color) {
  return html`<span class="letter"><i class="dot" .style=${`background:${color}`}></i>${which}</span>`;
}

/**
 * Which of several runs is compared in detail.
 *
 * @param {CompareData} data
 * @param {CompareHandlers} handlers
 */
function others({ runs, other }, handlers) {
  if (runs.length < 2) return nothing;
  return html`<label class="field">In detail
    <select @change=${(/** @type {Event} */ event) =>
      handlers.compareInDetail(
        runs[/** @type {HTMLSelectElement} */ (event.target).selectedIndex].run,
      )}>
      ${runs.map((one) => html`<option .selected=${one === other}>${visible(one.run)}</option>`)}
    </select></label>`;
}

/**
 * @param {CompareReply} reply
 * @param {CompareData} data
 * @param {CompareHandlers} handlers
 */
function body(reply, data, handlers) {
  return html`<p class="verdict" data-testid="compare-verdict">${verdict(reply)}</p>
    <div class="compare-columns">
      <section data-testid="compare-settings"><h3>Settings that differ</h3>${settings(reply, data)}</section>
      <section data-testid="compare-findings"><h3>Findings</h3>${findingChanges(reply, data)}</section>
      <section data-testid="compare-statistics"><h3>Statistics that differ</h3>${statistics(reply, data, handlers)}</section>
    </div>
    ${reply.shortened ? html`<p class="note">The lists are shortened.</p>` : nothing}`;
}

/** @param {CompareReply} reply */
function verdict({ loss, diverges_at: apart, axes }) {
  const first =
    apart === null
      ? "No statistic differs for long."
      : html`The first lasting difference in a layer statistic is at <b>${common(axes)} ${formatStep(apart)}</b>.`;
  if (loss === null) {
    return html`The losses cannot be compared: the runs do not both have a loss on the same axis. ${first}`;
  }
  const { axis } = loss;
  const gap = loss.largest_gap_steps
    ? `, records at most ${counted(loss.largest_gap_steps, axis)} apart`
    : "";
  const values = html`Mean loss of the last tenth, up to ${axis} ${formatStep(loss.last_step)}: A <b>${number(loss.first)}</b>,
    B <b>${number(loss.second)}</b>${factor(loss.orders)}
    <span class="soft">(${counted(loss.compared, axis)} compared${gap})</span>.`;
  if (loss.diverges_at !== null)
    return html`The losses separate at <b>${axis} ${formatStep(loss.diverges_at)}</b>. ${values} ${first}`;
  return loss.one_kind
    ? html`The losses differ by no more than their noise. ${values} ${first}`
    : html`The losses are of different kinds, so their levels cannot be compared. ${values} ${first}`;
}

/**
 * What the steps are called at which statistics were compared: only one axis is.
 *
 * @param {CompareReply["axes"]} axes
 */
function common(axes) {
  return axes.every((axis) => axis === "epoch") ? "epoch" : "step";
}

/** @param {StrictNumber} value */
function number(value) {
  return formatNumber(looseNumber(value));
}

/** @param {StrictNumber} orders */
function factor(orders) {
  const value = looseNumber(orders);
  if (value === null || !Number.isFinite(value) || Math.abs(value) < 0.02) return "";
  const times = formatTimes(value);
  return value > 0 ? `, ${times} times A` : `: A is ${times} times B`;
}

/**
 * @param {CompareReply} reply
 * @param {CompareData} data
 */
function settings({ settings: found }, data) {
  if (found === null) {
    return html`<p class="soft">Unknown: at least one run did not record its configuration.</p>`;
  }
  if (found.length === 0) return html`<p class="soft">No recorded setting differs.</p>`;
  return folded(
    found.map(
      (one) => html`<tr><th scope="row">${breakable(one.name)}</th>
        <td>${setting(one.first)}</td><td>${setting(one.second)}</td></tr>`,
    ),
    columns("Setting", data),
    "setting",
  );
}

/**
 * A path of a setting, which may wrap behind its dots and underscores.
 *
 * @param {string} path
 */
function breakable(path) {
  return visible(path)
    .split(/(?<=[._])/)
    .map((part) => html`${part}<wbr />`);
}

/** @param {string | null} text */
function setting(text) {
  if (text === null) return html`<span class="soft">none</span>`;
  return inlineName(/^\d{4,15}$/.test(text) ? formatStep(Number(text)) : text);
}

/**
 * @param {CompareReply} reply
 * @param {CompareData} data
 * @param {CompareHandlers} handlers
 */
function statistics({ differences, difference_count: count, axes }, data, handlers) {
  if (differences.length === 0) {
    return html`<p class="soft">No statistic differs by 3x or more over five consecutive records.</p>`;
  }
  const rows = differences.map((one) => statistic(one, data, handlers));
  const left = count - differences.length;
  return html`${folded(rows, columns("Statistic", data, `From ${common(axes)}`), "difference")}
    ${left > 0 ? html`<p class="soft">and ${counted(left, "smaller one")}</p>` : nothing}`;
}

/**
 * @param {Difference} one
 * @param {CompareData} data
 * @param {CompareHandlers} handlers
 */
function statistic(one, { groups }, handlers) {
  const metric = groups
    .flatMap((group) => group.metrics)
    .find((each) => each.name === one.statistic);
  const title = metric?.title ?? LABELS.get(one.statistic) ?? words(one.statistic);
  const rows = [...new Set([one.first_row, one.second_row])].filter((row) => row !== "run");
  const about = one.exact ? "" : "about ";
  const shown = html`${title}${rows.map(
    (row, index) => html`${index ? " / " : " "}${inlineName(row)}`,
  )}`;
  const fraction = one.statistic.endsWith("_fraction");
  const value = (/** @type {StrictNumber} */ of) => `${about}${number(of)}`;
  return html`<tr class="measured">
    <th scope="row">${
      metric
        ? html`<button type="button" class="link" title="Show in the map"
            @click=${() => handlers.showDifference(one.statistic, one.first_row, Number(one.since_step))}>${shown}</button>`
        : shown
    }${fraction ? nothing : html` <b class="factor">${formatOrders(looseNumber(one.orders) ?? Number.NaN)}</b>`}</th>
    <td>${value(one.first)}</td><td>${value(one.second)}</td><td>${formatStep(one.since_step)}</td>
  </tr>`;
}

/**
 * Heads of a table with a column for each run.
 *
 * @param {string} first
 * @param {CompareData} data
 * @param {string} [last]
 */
function columns(first, { run, other, color }, last) {
  return html`<thead><tr><th scope="col">${first}</th>
    <th scope="col">${letter("A", color(run))}</th>
    <th scope="col">${letter("B", color(other.run))}</th>${last ? html`<th scope="col">${last}</th>` : nothing}</tr></thead>`;
}

/**
 * A table of its first lines; the others are one click away.
 *
 * @param {unknown[]} rows
 * @param {unknown} head
 * @param {string} what
 */
function folded(rows, head, what) {
  const more = rows.slice(FIRST);
  return html`<table class="compare-table">${head}<tbody>${rows.slice(0, FIRST)}</tbody></table>
    ${
      more.length
        ? html`<details><summary>${counted(more.length, `more ${what}`)}</summary>
            <table class="compare-table">${head}<tbody>${more}</tbody></table></details>`
        : nothing
    }`;
}

/**
 * Under the map: which rows have no partner. Never guessed, so it is said.
 *
 * @param {Pairs} pairs
 * @param {string} run
 * @param {string} other
 */
export function pairNote(pairs, run, other) {
  const { paired, by, onlyHere, onlyThere } = pairs;
  const how = by === null ? "" : HOW[by];
  return html`<p class="note" data-testid="pairs">
    ${paired ? html`${counted(paired, "row")} paired${how}.` : "No rows of the two runs could be paired."}
    ${only(onlyHere, run)} ${only(onlyThere, other)}
  </p>`;
}

const HOW = {
  name: " by name",
  place: " by position: the names differ, but all kinds and shapes agree",
  role: " by name, and the last layers with each other: a numbered name belongs to the output of one model and to a hidden layer of the other",
};

/** Names that are said before the rest is counted. */
const NAMED = 4;

/**
 * @param {import("../types.js").Row[]} rows
 * @param {string} run
 */
function only(rows, run) {
  if (rows.length === 0) return nothing;
  const more = rows.length - NAMED;
  return html`Only in ${inlineName(run)}:
    ${rows.slice(0, NAMED).map((row, index) => html`${index ? ", " : ""}${inlineName(row.name)}`)}${
      more > 0 ? ` and ${formatNumber(more, 9)} more` : nothing
    }.`;
}
