/**
 * What a person can do on the page: each handler turns one action into a change of the state.
 *
 * @import { Place } from "./charts/heat.js"
 * @import { Format, View as ExportedView } from "./export/export_file.js"
 * @import { Role, ScalarRole } from "./state/tags.js"
 * @import { State } from "./state/state.js"
 * @import { Evidence, Finding, Group, Selection, TagFamily, View } from "./types.js"
 */
import { visible } from "./format/names.js";
import { counted } from "./format/numbers.js";
import { formatStep, stepNumber } from "./format/steps.js";
import { copyText } from "./host/clipboard.js";
import { download } from "./host/download.js";
import { later } from "./host/later.js";
import { remember } from "./host/memory.js";
import { noteOn } from "./host/notes.js";
import { switchNotifications } from "./host/notify.js";
import { openHelp, switchShortcuts, toPlace } from "./host/shortcuts.js";
import { zoomOn } from "./model/window.js";
import { createRunHandlers } from "./run_handlers.js";
import { drawnAt } from "./state/evidence.js";
import { rowKey, showFinding } from "./state/selection.js";
import { scalarAnswers, withAnswer, withScalars } from "./state/tags.js";
import { tree } from "./views/findings.js";
import { readout } from "./views/heatmap.js";

/**
 * @typedef {object} Controls
 * @property {() => State} current
 * @property {(part: Partial<State>) => void} change
 * @property {(slot: string) => void} again  Fetches a slot anew.
 * @property {() => void} refresh  Fetches everything anew.
 * @property {() => import("./model/model.js").Model} model
 * @property {import("./model/model.js").Surroundings} around
 */

/** @param {Controls} controls */
export function createHandlers({ current, change, again, refresh, model, around }) {
  /** @param {Partial<Selection>} part */
  const select = (part) =>
    change({ selection: { ...current().selection, provisional: false, vanished: null, ...part } });
  /** @param {Partial<View>} part */
  const setView = (part) => change({ view: { ...current().view, ...part } });
  const groups = () => current().slots.layers.data?.groups ?? NO_GROUPS;
  const findings = () => current().slots.findings.data?.findings ?? NO_FINDINGS;
  /** @param {string | null} name */
  const groupOf = (name) => groups().find((one) => one.group === name);

  const ofRuns = createRunHandlers({ current, change });

  const handlers = {
    again,
    refresh,
    setView,
    select,
    ...ofRuns,
    redraw: () => change({}),
    /** @param {string} said */
    say: (said) => change({ said }),
    async showHelp() {
      await later().catch(() => null);
      change({});
      requestAnimationFrame(openHelp);
    },

    /** @param {boolean} on */
    async setNotify(on) {
      change({ notify: await switchNotifications(on) });
    },

    switchShortcuts,

    /**
     * The run so many places further in the bar.
     *
     * @param {number} by
     */
    nextRun(by) {
      const shown = model().runs.list.shown.map((one) => one.run);
      const next = neighbor(shown, current().selection.run, by);
      if (next !== null) ofRuns.selectRun(next);
    },

    /**
     * The finding so many places further in the list.
     *
     * @param {number} by
     */
    nextFinding(by) {
      const { heads, explained } = tree(findings());
      const listed = heads.flatMap((head) => [head, ...(explained.get(head.id) ?? [])]);
      const ids = listed.map((finding) => finding.id);
      const next = neighbor(ids, current().selection.finding, by);
      if (next !== null) handlers.showFinding(next);
    },

    /** @param {string} id */
    showFinding(id) {
      const finding = findings().find((one) => one.id === id);
      if (!finding) return;
      const { selection, view } = current();
      change({
        selection: {
          ...showFinding(selection, finding, groups(), findings()),
          provisional: false,
          vanished: null,
        },
        // What is shown must not be filtered away.
        view: { ...view, filter: "", zoom: "onset" },
        said: `Showing ${visible(finding.title)} from step ${formatStep(finding.first_step)} in all views.`,
      });
    },

    /**
     * Where a piece of evidence is drawn.
     *
     * @param {Evidence} evidence
     * @param {Finding} finding
     */
    showEvidence(evidence, finding) {
      const { selection, view, slots } = current();
      const curves = new Set(slots.series.data?.series.map(({ name }) => name));
      const at = drawnAt(evidence, finding, groups(), curves);
      const step = evidence.step === null ? selection.step : stepNumber(evidence.step);
      if (at?.view === "curves") {
        change({ selection: { ...selection, step, auto: false, provisional: false } });
        setView({ chart: at.chart });
        return toPlace("c");
      }
      const name = evidence.row ?? evidence.layer;
      const searched = [...(at?.group ? [at.group] : []), ...groups()];
      const group = searched.find((one) => name === null || rowNamed(one, name) >= 0) ?? at?.group;
      const metric = group === at?.group ? at?.metric?.name : group?.metrics[0]?.name;
      const index = group ? rowNamed(group, name) : -1;
      const row = group && index >= 0 ? { row: rowKey(group.rows, index) } : {};
      // What is shown must not be filtered away.
      change({ view: { ...view, filter: "", map: "run" } });
      select({ ...(group && metric && { group: group.group, metric, ...row }), step, auto: false });
      toPlace("m");
    },

    /**
     * A difference between two runs, in the map.
     *
     * @param {string} statistic
     * @param {string} layer
     * @param {number} step
     */
    showDifference(statistic, layer, step) {
      const group = groups().find((one) => one.metrics.some(({ name }) => name === statistic));
      if (!group) return;
      const row = rowNamed(group, layer);
      const { selection, view } = current();
      const at = row < 0 ? selection.row : rowKey(group.rows, row);
      const shown = { group: group.group, metric: statistic, row: at, step, auto: false };
      change({
        selection: { ...selection, ...shown, provisional: false },
        view: { ...view, map: "difference", filter: "" },
      });
    },

    /**
     * @param {string} tag
     * @param {ScalarRole | null} role
     */
    answerScalar(tag, role) {
      const { view, slots, picking } = current();
      const answers = scalarAnswers(view.tags);
      // Of one kind there is one: a sum is written by hand, in the link or on the command line.
      if (role !== "no_scalar") {
        for (const [other, said] of answers) if (said === role) answers.delete(other);
      }
      if (role === null) answers.delete(tag);
      else answers.set(tag, role);
      const before = picking.open
        ? picking.before
        : (slots.findings.data?.verdict?.decided ?? null);
      const said = `${visible(tag)}: ${role === null ? "no longer answered" : SCALAR_SAID.get(role)}.`;
      const tags = withScalars(view.tags, answers);
      change({ view: { ...view, tags }, picking: { open: true, before }, said });
    },

    resetScalars() {
      const { view, picking } = current();
      const tags = withScalars(view.tags, new Map());
      change({
        view: { ...view, tags },
        picking: { ...picking, open: true },
        said: "Back to the automatic choice.",
      });
    },

    /** @param {boolean} open */
    setPicking(open) {
      const { view, slots } = current();
      const { scalars = [], verdict } = slots.findings.data ?? {};
      if (!open) {
        const own = withScalars("", scalarAnswers(view.tags));
        remember(
          scalars.map(({ tag }) => tag),
          own,
        );
      }
      change({ picking: { open, before: open ? (verdict?.decided ?? null) : null } });
    },

    /** @param {boolean} asking */
    setAsking: (asking) => change({ asking }),

    /**
     * @param {TagFamily} family
     * @param {Role | null} role
     */
    answer(family, role) {
      const { view } = current();
      const tags = withAnswer(view.tags, family.pattern, role);
      const histograms = counted(family.count, "histogram");
      const said = role === null ? "no longer answered" : SAID[role];
      change({ view: { ...view, tags }, asking: true, said: `${histograms}: ${said}.` });
    },

    /** @param {string} name */
    toggleSeries(name) {
      const { hidden } = current().view;
      const shown = hidden.includes(name);
      setView({ hidden: shown ? hidden.filter((one) => one !== name) : [...hidden, name] });
    },

    /**
     * @param {string} group
     * @param {string} metric
     */
    selectMetric: (group, metric) => select({ group, metric, auto: false }),

    /**
     * @param {number} index
     * @param {number | null} step null: stay at the selected one.
     */
    openRow(index, step) {
      const { selection } = current();
      const rows = groupOf(selection.group)?.rows ?? [];
      if (!rows[index]) return;
      select({ row: rowKey(rows, index), step: step ?? selection.step, auto: false });
    },

    /**
     * @param {string} group
     * @param {number} index
     */
    openSibling(group, index) {
      const target = groupOf(group);
      if (!target?.rows[index]) return;
      const { selection } = current();
      const same = group === selection.group;
      const metric = same ? selection.metric : (target.metrics[0]?.name ?? null);
      select({ group, metric, row: rowKey(target.rows, index), auto: false });
    },

    /** @param {[number, number] | null} zoom null: all of it. */
    setZoom: (zoom) => setView({ zoom: zoom ?? "all" }),

    /** @param {import("./types.js").XAxis} x */
    setAxis(x) {
      const { slots, view } = current();
      const series = slots.series.data?.series ?? [];
      setView({ x, zoom: zoomOn(view.zoom, series, model().time.axis, x) });
    },

    /** @param {number} step */
    selectStep: (step) => select({ step: Math.round(step), auto: false }),

    /**
     * @param {Place | null} place
     * @param {boolean} byKeyboard
     */
    hoverCell(place, byKeyboard) {
      const props = model().map?.props;
      if (!place || !props) return around.hover.move(null);
      const text = props.read?.(place) ?? readout(props.heat, props.rows, props.metric, place);
      around.hover.move({ text, byKeyboard });
    },

    /**
     * @param {ExportedView} view
     * @param {Format} format
     * @param {HTMLElement} panel
     */
    async exportView(view, format, panel) {
      const note = noteOn(current().selection.run ?? "");
      const page = { state: current(), model: model(), around, note };
      const rest = await later().catch(() => null);
      if (!rest) return change({ said: "The export could not be fetched. Reload the page." });
      const file = await rest.exportFile(view, format, panel, page);
      if (file) download(file.name, file.blob);
      change({ said: file ? `Saved ${file.name}.` : "There is nothing to export yet." });
    },

    /**
     * @param {string} text
     * @param {HTMLElement} button
     */
    async copy(text, button) {
      const copied = await copyText(text, button);
      change({ said: copied ? "Copied." : "The text is selected: copy it with the keyboard." });
    },
  };
  return handlers;
}

/**
 * The row of that name, or of the layer of that name, a kernel before the bias.
 *
 * @param {Group} group
 * @param {string | null} name
 */
function rowNamed({ rows }, name) {
  if (name === null) return -1;
  const here = rows.flatMap((one, index) =>
    one.layer === name || one.name === name ? [index] : [],
  );
  const exact = here.find((index) => rows[index].name === name);
  return exact ?? here.find((index) => rows[index].kind !== "bias") ?? here[0] ?? -1;
}

/**
 * What stands `by` places after `from`; of a list that does not hold it, the first.
 *
 * @param {string[]} list
 * @param {string | null} from
 * @param {number} by
 * @returns {string | null} null at the ends and in an empty list.
 */
export function neighbor(list, from, by) {
  const at = from === null ? -1 : list.indexOf(from);
  return at < 0 ? (list[0] ?? null) : (list[at + by] ?? null);
}

const SAID = { variables: "read as weights", gradients: "read as gradients", neither: "ignored" };
/** @type {Map<ScalarRole, string>} */
const SCALAR_SAID = new Map([
  ["loss", "read as the training loss"],
  ["validation", "read as the validation loss"],
  ["rate", "read as the learning rate"],
  ["no_scalar", "ignored"],
]);
/** @type {Group[]} */
const NO_GROUPS = [];
/** @type {Finding[]} */
const NO_FINDINGS = [];

/** @typedef {ReturnType<typeof createHandlers>} Handlers */
