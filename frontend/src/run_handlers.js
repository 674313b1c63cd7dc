/**
 * What a person can do with runs: select, compare, put away.
 *
 * @import { State } from "./state/state.js"
 * @import { View } from "./types.js"
 */
import { visible } from "./format/names.js";
import { between } from "./model/run_range.js";
import {
  afterSelecting,
  broughtForward,
  comparedRuns,
  comparedWith,
  toggled,
} from "./state/compared.js";
import { firstRun, showFinding } from "./state/selection.js";
import { selectRun } from "./state/state.js";

/**
 * @param {{current: () => State, change: (part: Partial<State>) => void}} controls
 */
export function createRunHandlers({ current, change }) {
  /** @param {Partial<View>} part */
  const setView = (part) => change({ view: { ...current().view, ...part } });

  const handlers = {
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

    /**
     * From the table of runs to the run itself.
     *
     * @param {string} run
     */
    openRun(run) {
      handlers.selectRun(run);
      setView({ page: "diagnosis" });
    },

    /**
     * Ticks a run, or no longer; with a range, all from the last one that was ticked.
     *
     * @param {string} run
     * @param {import("./model/runs_table.js").TableRow[]} rows
     * @param {boolean} range
     */
    pickRun(run, rows, range) {
      const { table } = current();
      const on = !table.picked.includes(run);
      const runs = range ? between(rows, table.anchor, run) : [run];
      const rest = table.picked.filter((one) => !runs.includes(one));
      change({ table: { ...table, picked: on ? [...rest, ...runs] : rest, anchor: run } });
    },

    /** @param {string[]} runs */
    pickRuns: (runs) => change({ table: { ...current().table, picked: runs, anchor: null } }),

    /** The first run that was ticked is looked at, the others stand beside it. */
    comparePicked() {
      const [first, ...others] = current().table.picked;
      if (first === undefined) return;
      handlers.selectRun(first);
      const { view } = current();
      const hiddenRuns = view.hiddenRuns.filter((one) => !others.includes(one));
      change({ view: { ...view, page: "diagnosis", compared: others.reverse(), hiddenRuns } });
    },

    hidePicked() {
      const { table, view } = current();
      const hiddenRuns = [...new Set([...view.hiddenRuns, ...table.picked])];
      const said = `${table.picked.length} runs are hidden.`;
      change({ view: { ...view, hiddenRuns }, table: { ...table, picked: [] }, said });
    },

    /** @param {string} key */
    foldGroup(key) {
      const { table } = current();
      const folded = table.folded.includes(key)
        ? table.folded.filter((one) => one !== key)
        : [...table.folded, key];
      change({ table: { ...table, folded } });
    },

    /** @param {number} scrolled */
    scrollTable(scrolled) {
      const { table } = current();
      // Rows beyond either edge are drawn, too: small movements need no new ones.
      if (Math.abs(scrolled - table.scrolled) > SCROLL) change({ table: { ...table, scrolled } });
    },

    /** To the finding or the run that the banner speaks of. */
    goToNews() {
      const { news, selection, slots, view } = current();
      if (!news) return;
      change({ news: null, view: { ...view, page: "diagnosis", filter: "", zoom: null } });
      if (news.run !== selection.run) return handlers.selectRun(news.run);
      const findings = slots.findings.data?.findings ?? [];
      const finding = findings.find((one) => one.id === news.finding);
      const groups = slots.layers.data?.groups ?? [];
      if (finding) change({ selection: showFinding(selection, finding, groups, findings) });
    },

    /** To what was selected before the page went to the news by itself. */
    goBack() {
      const { news } = current();
      if (news?.back) change({ selection: news.back, news: null, touched: true });
    },

    dismissNews: () => change({ news: null }),

    forgetVanished: () => change({ selection: { ...current().selection, vanished: null } }),

    showAllRuns: () => setView({ hiddenRuns: [], showHidden: false }),

    /** The runs that a link asked for and that are not there are no longer mentioned. */
    forgetMissing() {
      const { selection, view, slots } = current();
      const there = new Set(slots.runs.data?.runs.map((one) => one.run));
      const compared = view.compared.filter((one) => there.has(one));
      change({ selection: { ...selection, missing: null }, view: { ...view, compared } });
    },
  };
  return handlers;
}

/** Pixels that the table may be scrolled before other rows are drawn. */
const SCROLL = 200;
