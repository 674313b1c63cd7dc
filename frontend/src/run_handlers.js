/**
 * What a person can do with runs: select, compare, put away.
 *
 * @import { State } from "./state/state.js"
 * @import { View } from "./types.js"
 */
import { visible } from "./format/names.js";
import {
  afterSelecting,
  broughtForward,
  comparedRuns,
  comparedWith,
  toggled,
} from "./state/compared.js";
import { firstRun } from "./state/selection.js";
import { selectRun } from "./state/state.js";

/**
 * @param {{current: () => State, change: (part: Partial<State>) => void}} controls
 */
export function createRunHandlers({ current, change }) {
  /** @param {Partial<View>} part */
  const setView = (part) => change({ view: { ...current().view, ...part } });

  return {
    /** @param {string} run */
    selectRun(run) {
      const { selection, view } = current();
      const compared = afterSelecting(view.compared, selection.run, run);
      const chosen = { ...selectRun(selection, run), provisional: false, missing: null };
      change({ selection: chosen, view: { ...view, compared, zoom: null } });
    },

    /**
     * The selected run and the one it is compared with change places; what is looked at stays.
     */
    swapRuns() {
      const { selection, view, slots } = current();
      const other = comparedRuns(view, slots.runs.data?.runs ?? [], selection.run).at(-1)?.run;
      if (other === undefined) return;
      const compared = afterSelecting(view.compared, selection.run, other);
      const kept = { ...selection, run: other, finding: null, auto: false, provisional: false };
      change({ selection: kept, view: { ...view, compared } });
    },

    /** @param {string} run */
    toggleCompared(run) {
      const { view, selection } = current();
      if (run === selection.run) return;
      const compared = toggled(view.compared, run);
      const hiddenRuns = view.hiddenRuns.filter((one) => one !== run);
      const on = compared.includes(run);
      const said = `${on ? "Compared with" : "No longer compared with"} run ${visible(run)}.`;
      change({ view: { ...view, compared, hiddenRuns }, said });
    },

    /** @param {string | null} run null: with none. */
    compareWith(run) {
      const { view } = current();
      const compared = comparedWith(view.compared, run);
      const hiddenRuns = view.hiddenRuns.filter((one) => one !== run);
      change({ view: { ...view, compared, hiddenRuns } });
    },

    /** @param {string} run One of those that are compared. */
    compareInDetail: (run) => setView({ compared: broughtForward(current().view.compared, run) }),

    /** @param {string} run */
    toggleHiddenRun(run) {
      const { view, selection, slots } = current();
      const hidden = view.hiddenRuns.includes(run);
      const hiddenRuns = hidden
        ? view.hiddenRuns.filter((one) => one !== run)
        : [...view.hiddenRuns, run];
      const said = `Run ${visible(run)} is ${hidden ? "shown again" : "hidden"}.`;
      const next = { ...view, hiddenRuns, showHidden: view.showHidden && hiddenRuns.length > 0 };
      if (hidden || run !== selection.run) return change({ view: next, said });
      const left = (slots.runs.data?.runs ?? []).filter((one) => !hiddenRuns.includes(one.run));
      const other = firstRun(left);
      if (other === null) return;
      change({ view: { ...next, zoom: null }, selection: selectRun(selection, other), said });
    },

    showAllRuns: () => setView({ hiddenRuns: [], showHidden: false }),

    /** The runs that a link asked for and that are not there are no longer mentioned. */
    forgetMissing() {
      const { selection, view, slots } = current();
      const there = new Set(slots.runs.data?.runs.map((one) => one.run));
      const compared = view.compared.filter((one) => there.has(one));
      change({ selection: { ...selection, missing: null }, view: { ...view, compared } });
    },
  };
}
