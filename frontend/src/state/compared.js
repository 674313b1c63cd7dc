/**
 * Which runs stand beside the selected one. Of several the last one is compared in detail; the
 * others are drawn with the curves.
 *
 * @import { RunSummary, View } from "../types.js"
 */

/** More curves in one chart than this tell nothing. */
export const MOST_COMPARED = 5;

/**
 * Adds `run`, or takes it away. The oldest makes room.
 *
 * @param {string[]} compared
 * @param {string} run
 */
export function toggled(compared, run) {
  if (compared.includes(run)) return compared.filter((one) => one !== run);
  return [...compared, run].slice(-MOST_COMPARED);
}

/**
 * `run` in place of the one compared in detail; null: nothing is compared.
 *
 * @param {string[]} compared
 * @param {string | null} run
 */
export function comparedWith(compared, run) {
  if (run === null) return [];
  return [...compared.slice(0, -1).filter((one) => one !== run), run];
}

/**
 * `run` as the one compared in detail, the others as before.
 *
 * @param {string[]} compared
 * @param {string} run
 */
export function broughtForward(compared, run) {
  return [...compared.filter((one) => one !== run), run];
}

/**
 * After another run was selected: one that was compared changes places with it.
 *
 * @param {string[]} compared
 * @param {string | null} before
 * @param {string} run
 */
export function afterSelecting(compared, before, run) {
  if (!compared.includes(run)) return compared;
  return compared.flatMap((one) => (one !== run ? [one] : before === null ? [] : [before]));
}

/**
 * The runs to compare with that are there and can be read, in order; hidden ones are left out.
 *
 * @param {Pick<View, "compared" | "hiddenRuns">} view
 * @param {RunSummary[]} runs
 * @param {string | null} selected
 * @returns {RunSummary[]}
 */
export function comparedRuns({ compared, hiddenRuns }, runs, selected) {
  if (compared.length === 0) return NONE;
  const known = new Map(runs.map((run) => [run.run, run]));
  return compared.flatMap((name) => {
    const run = known.get(name);
    if (!run || run.error !== null || name === selected || hiddenRuns.includes(name)) return [];
    return [run];
  });
}

/** @type {RunSummary[]} */
const NONE = [];

/**
 * Names that the page was asked to show and that no run has.
 *
 * @param {string | null} missing The run a link named.
 * @param {string[]} compared
 * @param {RunSummary[]} runs
 */
export function missingRuns(missing, compared, runs) {
  const there = new Set(runs.map((run) => run.run));
  return [...(missing === null ? [] : [missing]), ...compared].filter((name) => !there.has(name));
}
