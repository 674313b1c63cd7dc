/**
 * What a refresh brought that a person must hear of: a finding that became critical, in the run that
 * is looked at or in another one.
 *
 * @import { FindingsReply, Finding, RunSummary, Selection, Step, Verdict } from "../types.js"
 */
import { badness, isOver, verdictOf } from "../format/severity.js";

/**
 * @typedef {object} News
 * @property {string} run
 * @property {string | null} finding  Its id; null where another run is meant.
 * @property {string} title
 * @property {Step} step  From which on it holds.
 * @property {string[]} layers
 * @property {Verdict} from  The run's mark before.
 * @property {Verdict} to
 * @property {Step | null} seen  Last step of the run when it was last read.
 * @property {number} more  Further runs that became critical.
 * @property {Selection | null} back  What was selected before the page went there by itself.
 */

/**
 * @param {string} slot  "findings" or "runs"; anything else brings no news.
 * @param {any} before
 * @param {any} after
 * @param {string | null} selected
 * @returns {News | null}
 */
export function newsOf(slot, before, after, selected) {
  if (slot === "runs") return newsOfOthers(before.runs, after.runs, selected);
  return slot === "findings" ? newsOfRun(before, after) : null;
}

/**
 * The finding to hear of: the first that is critical now and was not before. null without one.
 *
 * @param {Pick<FindingsReply, "findings">} before
 * @param {Pick<FindingsReply, "findings">} after
 * @returns {Finding | null}
 */
export function newlyCritical(before, after) {
  const known = new Set(before.findings.filter(isCritical).map(({ id }) => id));
  return after.findings.find((one) => isCritical(one) && !known.has(one.id)) ?? null;
}

/** @param {Finding} finding */
function isCritical(finding) {
  return finding.severity === "critical" && !isOver(finding);
}

/**
 * @param {FindingsReply} before
 * @param {FindingsReply} after
 * @returns {News | null}
 */
export function newsOfRun(before, after) {
  const finding = newlyCritical(before, after);
  if (!finding) return null;
  return {
    run: after.run,
    finding: finding.id,
    title: finding.title,
    step: finding.first_step,
    layers: finding.layers,
    from: worst(before.findings),
    to: "critical",
    seen: before.last_step,
    more: 0,
    back: null,
  };
}

/**
 * The mark that findings alone give.
 *
 * @param {Finding[]} findings
 * @returns {Verdict}
 */
function worst(findings) {
  const marks = findings.filter((one) => !isOver(one)).map(({ severity }) => severity);
  return marks.sort((a, b) => badness(a) - badness(b))[0] ?? "unknown";
}

/**
 * Of the runs that are not looked at, those that became critical.
 *
 * @param {RunSummary[]} before
 * @param {RunSummary[]} after
 * @param {string | null} selected
 * @returns {News | null}
 */
export function newsOfOthers(before, after, selected) {
  const marks = new Map(before.map((run) => [run.run, run]));
  const fallen = after.filter((run) => {
    const known = marks.get(run.run);
    if (run.run === selected || known === undefined) return false;
    const mark = verdictOf(known);
    return verdictOf(run) === "critical" && mark !== "critical" && mark !== "pending";
  });
  const [first] = fallen;
  if (!first?.first) return null;
  const known = /** @type {RunSummary} */ (marks.get(first.run));
  return {
    run: first.run,
    finding: null,
    title: first.first.title,
    step: first.first.first_step,
    layers: first.first.layers,
    from: verdictOf(known),
    to: "critical",
    seen: known.last_step,
    more: fallen.length - 1,
    back: null,
  };
}
