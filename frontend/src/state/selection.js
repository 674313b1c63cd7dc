/**
 * The one selection `{run, finding, group, metric, row, step}` that drives every view: what is
 * chosen when nothing was, and what "Show" moves to.
 *
 * @import { Finding, Group, Row, RunSummary, Selection } from "../types.js"
 */

import { badness, isOver, verdictOf } from "../format/severity.js";
import { stepNumber } from "../format/steps.js";
import { fittingMetric } from "./metrics.js";

/** @returns {Selection} */
export function emptySelection() {
  return {
    run: null,
    finding: null,
    group: null,
    metric: null,
    row: null,
    step: null,
    provisional: false,
    auto: true,
    missing: null,
    vanished: null,
  };
}

/**
 * The run to show first: the worst one; of equals the first in the list; null without runs.
 *
 * @param {RunSummary[]} runs
 */
export function firstRun(runs) {
  let best = null;
  for (const run of runs) {
    if (!best || badness(verdictOf(run)) < badness(verdictOf(best))) best = run;
  }
  return best?.run ?? null;
}

/**
 * A row's key: its name, and for the second and later rows of one name, which of them. Names are
 * stable while a model grows, indices are not.
 *
 * @param {Row[]} rows
 * @param {number} index
 */
export function rowKey(rows, index) {
  const { name } = rows[index];
  let earlier = 0;
  for (let other = 0; other < index; other += 1) if (rows[other].name === name) earlier += 1;
  return earlier ? `${name}\u0001${earlier}` : name;
}

/**
 * @param {Row[]} rows
 * @param {string | null} key
 * @returns {number} -1 if no row has this key.
 */
export function rowIndex(rows, key) {
  if (key === null) return -1;
  const [name, nth = "0"] = key.split("\u0001");
  let left = Number(nth);
  return rows.findIndex((row) => {
    if (row.name !== name) return false;
    left -= 1;
    return left < 0;
  });
}

/**
 * The row that tells the rest of a layer's story: the output of a variable's layer, the main
 * variable of an output's.
 *
 * @param {Group[]} groups
 * @param {string} group
 * @param {number} index
 * @returns {{group: string, index: number} | null}
 */
export function counterpart(groups, group, index) {
  const here = groups.find((one) => one.group === group)?.rows[index];
  const wanted = COUNTERPARTS.get(group);
  const there = groups.find((one) => one.group === wanted);
  if (!here || !there) return null;
  const rows = there.rows.flatMap((row, at) => (row.layer === here.layer ? [at] : []));
  const main = rows.find((at) => there.rows[at].kind !== "bias") ?? rows[0];
  return main === undefined ? null : { group: there.group, index: main };
}

const COUNTERPARTS = new Map([
  ["variables", "activations"],
  ["activations", "variables"],
]);

/**
 * Rows a finding speaks of, by name of the row or of its layer. What is said of a layer is said of
 * its weights: biases start at zero and move as they like, so they are named by themselves.
 *
 * @param {Finding} finding
 * @param {Row[]} rows
 * @returns {number[]}
 */
export function rowsOf(finding, rows) {
  const named = new Set(finding.layers);
  const kernels = rows.filter((row) => row.kind === "kernel" && named.has(row.layer));
  const weighed = new Set(kernels.map((row) => row.layer));
  return rows.flatMap((row, index) => {
    const beside = row.kind === "bias" && weighed.has(row.layer) && !isMeant(finding, row);
    return named.has(row.name) || (named.has(row.layer) && !beside) ? [index] : [];
  });
}

/**
 * Whether the evidence is of this very row, or of rows of its kind in its layer.
 *
 * @param {Finding} finding
 * @param {Row} row
 */
function isMeant({ evidence }, { name, layer, kind }) {
  return evidence.some((one) => one.row === name || (one.layer === layer && one.kind === kind));
}

/**
 * Every view at the finding: its first step, its first layer, a metric that shows it. Where the
 * layers that it names have no row, as a dropout has none, the first of what it explains.
 *
 * @param {Selection} selection
 * @param {Finding} finding
 * @param {Group[]} groups
 * @param {Finding[]} [findings]
 * @returns {Selection}
 */
export function showFinding(selection, finding, groups, findings = []) {
  const fitting = fittingMetric(finding, groups);
  const step = stepNumber(finding.first_step);
  const next = { ...selection, auto: false, finding: finding.id, step };
  const group = fitting?.group ?? groups.find((one) => one.group === selection.group);
  if (!group) return next;
  const explained = findings.filter((one) => one.explained_by === finding.id);
  const rows = [finding, ...explained].map((one) => firstRow(one, group.rows));
  const row = rows.find((one) => one >= 0) ?? -1;
  return {
    ...next,
    group: group.group,
    metric: fitting?.metric.name ?? selection.metric,
    row: row >= 0 ? rowKey(group.rows, row) : selection.row,
  };
}

/**
 * The row to open: the single one that the evidence is of, else of the first layer it names, a kernel
 * before the bias; else the first of the data that the evidence speaks of, or the last layer's output.
 *
 * @param {Finding} finding
 * @param {Row[]} rows
 */
function firstRow(finding, rows) {
  const named = rowsOf(finding, rows);
  const first = named.find((row) => isOnset(finding, rows[row]));
  if (first !== undefined) return first;
  const single = named.find((row) => isMeant(finding, rows[row]));
  if (single !== undefined) return single;
  for (const layer of finding.layers) {
    const here = named.filter((row) => rows[row].name === layer || rows[row].layer === layer);
    const kernel = here.find((row) => rows[row].kind !== "bias");
    if (kernel !== undefined) return kernel;
    if (here.length) return here[0];
  }
  const kinds = finding.evidence.map(({ kind }) => kind);
  const kind = kinds.includes("target") ? "target" : kinds.find((one) => one === "prediction");
  const data = rows.findIndex((row) => row.kind === kind);
  if (data >= 0 || kind !== "prediction" || rows.at(-1)?.kind !== "output") return data;
  return rows.length - 1;
}

/**
 * Whether evidence says that the finding begins in this row: a bias only where it is named itself.
 *
 * @param {Finding} finding
 * @param {Row} row
 */
function isOnset({ evidence, first_step: begins }, { name, layer, kind }) {
  return evidence.some(
    (one) =>
      one.step !== null &&
      stepNumber(one.step) === stepNumber(begins) &&
      (one.layer === name || (one.layer === layer && kind !== "bias")),
  );
}

/**
 * Fills what is not chosen from the data that have arrived, and drops what they do not have.
 *
 * @param {Selection} selection
 * @param {{runs: RunSummary[] | null, pending: number, findings: Finding[] | null,
 *   groups: Group[] | null, hidden?: string[]}} data `pending`: runs still being examined.
 * @returns {Selection} The same object if nothing changed.
 */
export function settle(selection, { runs, pending, findings, groups, hidden = [] }) {
  const next = runs ? withRun(selection, runs, pending > 0, hidden) : selection;
  if (next.run !== selection.run) return next;
  const held = findings ? withFinding(next, findings, groups) : next;
  if (!groups) return held;
  const shown = withMetric(held, groups);
  const led = findings && shown.auto ? followFirst(shown, findings, groups) : shown;
  return withRow(led, groups);
}

/**
 * Holds to a run that is there. One that the page chose before it knew all runs gives way to a
 * worse one; one that stands in for a run that was asked for, to that. What else a link asks for
 * is kept: it may hold for the other run as well.
 *
 * @param {Selection} selection
 * @param {RunSummary[]} runs
 * @param {boolean} provisional
 * @param {string[]} hidden
 */
function withRun(selection, runs, provisional, hidden) {
  const has = (/** @type {string | null} */ name) => runs.some((run) => run.run === name);
  if (selection.missing !== null && has(selection.missing)) {
    return { ...selection, run: selection.missing, provisional: false, missing: null };
  }
  const there = has(selection.run);
  if (there && !selection.provisional) return selection;
  const run = firstRun(runs.filter((one) => !hidden.includes(one.run))) ?? firstRun(runs);
  // Of a run that is not examined yet nobody knows whether it is worse: no reason to move on.
  const unknown = runs.find((one) => one.run === run)?.severity === "pending";
  if (there && provisional && unknown && !hidden.includes(selection.run ?? "")) return selection;
  if (selection.run !== null && !there && run !== null) {
    const finding = selection.auto ? null : selection.finding;
    return { ...selection, run, finding, provisional: false, missing: selection.run };
  }
  if (run !== selection.run) return { ...emptySelection(), run, provisional };
  return provisional === selection.provisional ? selection : { ...selection, provisional };
}

/**
 * A finding that the run does not have (any more) gives way to the first one that it has.
 *
 * @param {Selection} selection
 * @param {Finding[]} findings
 * @param {Group[] | null} groups
 */
function withFinding(selection, findings, groups) {
  const { finding: id } = selection;
  if (id === null || findings.some((one) => one.id === id)) return selection;
  const first = findings.find((one) => !isOver(one));
  const rest = { ...selection, finding: first?.id ?? null, vanished: id };
  if (!first) return rest;
  // Its layers are not known yet: then it is followed when they are.
  return groups ? showFinding(rest, first, groups, findings) : { ...rest, auto: true };
}

/**
 * @param {Selection} selection
 * @param {Finding[]} findings
 * @param {Group[]} groups
 */
function followFirst(selection, findings, groups) {
  const asked = findings.find((one) => one.id === selection.finding);
  const wanted = asked ?? findings.find((one) => !isOver(one));
  return wanted ? showFinding(selection, wanted, groups, findings) : selection;
}

/**
 * @param {Selection} selection
 * @param {Group[]} groups
 */
function withMetric(selection, groups) {
  const offered = groups.filter((group) => group.metrics.length > 0);
  const group = offered.find((one) => one.group === selection.group) ?? offered[0];
  if (!group) return selection;
  const metric = group.metrics.find((one) => one.name === selection.metric) ?? group.metrics[0];
  if (group.group === selection.group && metric.name === selection.metric) return selection;
  return { ...selection, group: group.group, metric: metric.name };
}

/**
 * @param {Selection} selection
 * @param {Group[]} groups
 */
function withRow(selection, groups) {
  const group = groups.find((one) => one.group === selection.group);
  if (!group || group.rows.length === 0 || rowIndex(group.rows, selection.row) >= 0) {
    return selection;
  }
  const previous = groups.flatMap((one) => one.rows).find((row) => row.name === selection.row);
  const sameLayer = group.rows.findIndex((row) => row.layer === previous?.layer);
  return { ...selection, row: rowKey(group.rows, Math.max(0, sameLayer)) };
}
