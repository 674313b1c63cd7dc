/**
 * The table of runs: what each row says, which rows there are, in which order, and which of them are
 * drawn. Pure: the view only writes it down.
 *
 * @import { RunColumn, RunGrouping, RunState, RunSummary, Verdict } from "../types.js"
 */
import { changedSettings, sweptSettings } from "../data/sweep.js";
import { visible } from "../format/names.js";
import { counted, looseNumber } from "../format/numbers.js";
import { badness, STATE_MARK, STATE_WORD, stateOf, verdictOf } from "../format/severity.js";
import { stepNumber } from "../format/steps.js";

/**
 * @typedef {object} RunRow
 * @property {"run"} kind
 * @property {RunSummary} run
 * @property {Verdict} mark
 * @property {RunState} state
 * @property {string} cause  Title of the first finding, or how much could be decided.
 * @property {string} where  Its layers, or the same.
 * @property {number | null} onset
 * @property {number | null} loss
 * @property {string[]} changed
 *
 * @typedef {object} GroupRow
 * @property {"group"} kind
 * @property {string} key
 * @property {string} title
 * @property {Verdict | null} mark
 * @property {number} count
 * @property {boolean} folded
 *
 * @typedef {object} TableOrder
 * @property {RunGrouping} groups
 * @property {RunColumn} sort
 * @property {boolean} down
 *
 * @typedef {RunRow | GroupRow} TableRow
 */

/** Heights in CSS pixels, as the style sheet has them: virtual scrolling counts on them. */
export const ROW = 28;
export const GROUP = 34;

/** From so many runs on they are grouped by cause, unless the person chose otherwise. */
const GROUPED_FROM = 12;

/**
 * @param {RunGrouping | null} chosen
 * @param {number} runs
 * @returns {RunGrouping}
 */
export function grouping(chosen, runs) {
  return chosen ?? (runs >= GROUPED_FROM ? "cause" : "none");
}

/**
 * What each row says, in the order of the list.
 *
 * @param {RunSummary[]} runs  All that there are: what is common is common to all.
 * @param {RunSummary[]} shown
 * @returns {RunRow[]}
 */
export function runRows(runs, shown) {
  const swept = sweptSettings(runs);
  return shown.map((run) => ({
    kind: "run",
    run,
    mark: verdictOf(run),
    state: stateOf(run),
    cause: causeText(run),
    where: whereText(run),
    onset: run.first && stateOf(run) === "sick" ? stepNumber(run.first.first_step) : null,
    loss: looseNumber(run.loss),
    changed: changedSettings(run, swept),
  }));
}

/** @param {RunSummary} run */
function causeText(run) {
  return stateOf(run) === "sick" && run.first ? visible(run.first.title) : coverageText(run);
}

/** @param {RunSummary} run */
function whereText(run) {
  if (stateOf(run) !== "sick" || !run.first) return coverageText(run);
  const { layers, layer_count: count } = run.first;
  if (count === 0) return "the whole run";
  const more = count - layers.length;
  const named = layers.map(visible).join(", ");
  return more > 0 ? `${named} and ${more} more` : named;
}

/**
 * How much of a run without a cause could be decided.
 *
 * @param {RunSummary} run
 */
export function coverageText({ error, severity, verdict, first }) {
  if (error !== null) return visible(error);
  if (severity === "pending") return "";
  if (!verdict || verdict.applicable === 0) return "no data to judge";
  const { state, decided, applicable } = verdict;
  const open = applicable - decided;
  const noted = first && state !== "sick" ? ` · notice: ${visible(first.title)}` : "";
  if (state === "nothing-found")
    return `${decided} of ${counted(applicable, "check")} decided${noted}`;
  return `${open} of ${counted(applicable, "check")} undecided${noted}`;
}

/**
 * Rows and the heads of their groups, in the order of the table.
 *
 * @param {RunRow[]} rows
 * @param {TableOrder} order
 * @param {string[]} folded
 * @returns {TableRow[]}
 */
export function tableRows(rows, { groups, sort, down }, folded) {
  const sorted = sortRows(rows, sort, down);
  if (groups === "none") return sorted;
  /** @type {Map<string, RunRow[]>} */
  const members = new Map();
  for (const row of sorted) {
    const key = groupKey(row, groups);
    const list = members.get(key);
    if (list) list.push(row);
    else members.set(key, [row]);
  }
  const listed = [...members].sort(([a, first], [b, second]) =>
    groups === "folder"
      ? BY_NAME(a, b)
      : badness(first[0].mark) - badness(second[0].mark) ||
        second.length - first.length ||
        BY_NAME(a, b),
  );
  return listed.flatMap(([key, list]) => {
    const closed = folded.includes(key);
    /** @type {GroupRow} */
    const head = {
      kind: "group",
      key,
      title: groupTitle(list[0], groups),
      mark:
        groups === "folder" ? null : groups === "cause" ? list[0].mark : STATE_MARK[list[0].state],
      count: list.length,
      folded: closed,
    };
    return closed ? [head] : [head, ...list];
  });
}

const BY_NAME = new Intl.Collator("en", { numeric: true }).compare;

/**
 * Which group a row belongs to. A cause is known by its id; runs of one cause may differ in severity,
 * and stand together.
 *
 * @param {RunRow} row
 * @param {RunGrouping} groups
 */
function groupKey({ run, state }, groups) {
  if (groups === "folder")
    return run.run.includes("/") ? run.run.slice(0, run.run.lastIndexOf("/")) : "";
  return groups === "cause" && state === "sick" && run.first ? `cause ${run.first.id}` : state;
}

/**
 * @param {RunRow} row
 * @param {RunGrouping} groups
 */
function groupTitle(row, groups) {
  if (groups === "folder") return visible(groupKey(row, groups)) || "no folder";
  const { run, state } = row;
  return groups === "cause" && state === "sick" && run.first
    ? visible(run.first.rule_title)
    : STATE_WORD[state];
}

/**
 * What has no value comes last, whichever way.
 *
 * @param {RunRow[]} rows
 * @param {RunColumn} column
 * @param {boolean} down
 */
export function sortRows(rows, column, down) {
  const sign = down ? -1 : 1;
  const place = new Map(rows.map((row, index) => [row, index]));
  const compare = COMPARE[column];
  return [...rows].sort((a, b) => compare(a, b, sign) || (place.get(a) ?? 0) - (place.get(b) ?? 0));
}

/** @type {Record<RunColumn, (a: RunRow, b: RunRow, sign: number) => number>} */
const COMPARE = {
  run: (a, b, sign) => sign * BY_NAME(a.run.run, b.run.run),
  verdict: (a, b, sign) => sign * (badness(a.mark) - badness(b.mark)),
  cause: (a, b, sign) => sign * BY_NAME(a.cause, b.cause),
  onset: (a, b, sign) => numbers(a.onset, b.onset, sign),
  last: (a, b, sign) => numbers(stepNumber(a.run.last_step), stepNumber(b.run.last_step), sign),
  // A loss that is NaN is worse than any other.
  loss: (a, b, sign) => numbers(lossRank(a.loss), lossRank(b.loss), sign),
};

/** @param {number | null} loss */
function lossRank(loss) {
  return loss !== null && Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss;
}

/**
 * @param {number | null} a
 * @param {number | null} b
 * @param {number} sign
 */
function numbers(a, b, sign) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return a === b ? 0 : sign * (a < b ? -1 : 1);
}

/**
 * The rows to draw of a long table, and the room that the others take above and below.
 *
 * @param {TableRow[]} rows
 * @param {number} scrolled
 * @param {number} height  Of what is seen.
 * @returns {{rows: TableRow[], first: number, above: number, below: number}}
 */
export function windowOf(rows, scrolled, height) {
  if (rows.length <= ALL_UP_TO) return { rows, first: 0, above: 0, below: 0 };
  const [top, bottom] = [scrolled - OVER, scrolled + height + OVER];
  let [above, below, first, end, y] = [0, 0, -1, rows.length, 0];
  for (const [index, row] of rows.entries()) {
    const next = y + heightOf(row);
    if (next < top) above = next;
    else if (first < 0) first = index;
    if (y > bottom && end === rows.length) end = index;
    if (y > bottom) below += heightOf(row);
    y = next;
  }
  if (first < 0) first = rows.length;
  return { rows: rows.slice(first, end), first, above, below };
}

/** Up to so many rows the table is drawn whole: the browser's own search then finds every run. */
const ALL_UP_TO = 250;
/** Pixels drawn beyond either edge. */
const OVER = 400;

/** @param {TableRow} row */
function heightOf(row) {
  return row.kind === "group" ? GROUP : ROW;
}
