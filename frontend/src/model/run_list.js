/**
 * Which runs are listed, worst first: those that the filter and the state leave, hidden ones only
 * when they are asked for.
 *
 * @import { RunSummary, View } from "../types.js"
 */
import { badness, stateOf, verdictOf } from "../format/severity.js";
import { runFilter } from "./run_filter.js";

/**
 * @typedef {object} RunList
 * @property {RunSummary[]} matching  Those that the filter leaves, whatever their state.
 * @property {RunSummary[]} shown
 * @property {string} error  Why the filter cannot be used; "" where it can.
 *
 * @param {RunSummary[]} runs
 * @param {Pick<View, "runFilter" | "runState" | "hiddenRuns" | "showHidden">} view
 * @returns {RunList}
 */
export function listRuns(runs, { runFilter: pattern, runState, hiddenRuns, showHidden }) {
  const filter = runFilter(pattern);
  const hidden = new Set(hiddenRuns);
  const matching = runs.filter(
    ({ run }) => (showHidden || !hidden.has(run)) && filter.matches(run),
  );
  const shown = matching
    .map((run, index) => ({ run, index, bad: badness(verdictOf(run)) }))
    .filter(({ run }) => runState === null || stateOf(run) === runState)
    .sort((a, b) => a.bad - b.bad || a.index - b.index)
    .map(({ run }) => run);
  return { matching, shown, error: filter.error };
}
