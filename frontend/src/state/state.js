/**
 * The page's state: what is selected, how it is looked at, and what has been loaded.
 *
 * @import { Slot } from "../data/loader.js"
 * @import {
 *   CompareReply, HistogramReply, FindingsReply, Heat, LayerReply, LayersReply, Overlay,
 *   RunsReply, Selection, SeriesReply, View
 * } from "../types.js"
 */
import { emptySlot } from "../data/loader.js";
import { emptySelection } from "./selection.js";

/**
 * @typedef {object} Slots
 * @property {Slot<RunsReply>} runs
 * @property {Slot<FindingsReply>} findings
 * @property {Slot<SeriesReply>} series
 * @property {Slot<LayersReply>} layers
 * @property {Slot<Heat>} heat
 * @property {Slot<LayerReply>} layer
 * @property {Slot<LayerReply>} counterpart  The row that tells the rest of the layer's story.
 * @property {Slot<HistogramReply>} histogram
 * @property {Slot<Heat[]>} profiles  What is shown by depth beside the map's own metric.
 * @property {Slot<{ratio: Heat | null, scale: Heat | null}>} moment  What changed before an onset.
 * @property {Slot<Overlay[]>} overlays  Of the runs beside the selected one.
 * @property {Slot<CompareReply>} compare
 * @property {Slot<LayersReply>} otherLayers  Of the run compared in detail, as what follows.
 * @property {Slot<Heat>} otherHeat
 * @property {Slot<LayerReply>} otherLayer
 * @property {Slot<LayerReply>} otherCounterpart
 * @property {Slot<Heat[]>} otherProfiles
 * @property {Slot<Heat>} difference
 * @property {Slot<import("../data/candidates.js").Candidate[]>} candidates  Scalars that may be the loss.
 *
 * @typedef {object} RunsTable  What was done in the table of runs; not part of a link.
 * @property {string[]} picked  Runs whose boxes are ticked.
 * @property {string | null} anchor  From which shift + click picks a range.
 * @property {string[]} folded  Keys of groups that are folded in.
 * @property {number} scrolled  Pixels.
 *
 * @typedef {object} Clock  Seconds since 1970.
 * @property {number} now
 * @property {number | null} read  When TensorBoard last answered.
 *
 * @typedef {object} State
 * @property {Selection} selection
 * @property {View} view
 * @property {Slots} slots
 * @property {"light" | "dark"} theme
 * @property {{width: number, height: number}} size  Of the page.
 * @property {string} said  For the screen reader.
 * @property {string[] | null} hostRuns  TensorBoard's runs in its order; null where it does not say.
 * @property {boolean} asking  What histograms are is being answered.
 * @property {{open: boolean, before: number | null}} picking  Which scalar is the loss is being answered.
 * @property {RunsTable} table
 * @property {Clock} clock
 * @property {import("./news.js").News | null} news
 * @property {import("./watched.js").Watched | null} watched  What came and went in this run's findings.
 * @property {boolean} touched  The person chose something in this run by hand: the page leaves it so.
 * @property {boolean | null} notify  Whether the browser shows messages; null where it cannot.
 * @property {string} version  Of the plugin, when the page was opened; "" until it is known.
 */

/** @type {Readonly<View>} */
export const DEFAULT_VIEW = {
  x: "step",
  smoothing: 0.6,
  log: null,
  chart: "loss",
  pinned: [],
  outliers: false,
  full: null,
  order: "depth",
  shade: null,
  filter: "",
  tab: "layer",
  constants: false,
  hidden: [],
  zoom: null,
  map: "run",
  compared: [],
  hiddenRuns: [],
  showHidden: false,
  page: "diagnosis",
  runFilter: "",
  runState: null,
  runGroups: null,
  runSort: "verdict",
  runSortDown: false,
  tags: "",
};

/**
 * What a link says, over the defaults.
 *
 * @param {import("./link.js").Linked} linked
 * @returns {Pick<State, "selection" | "view">}
 */
export function linkedState({ selection, view }) {
  return {
    // A link that says what to look at was made of a choice: the first finding must not override it.
    selection: {
      ...emptySelection(),
      ...selection,
      auto: [selection.metric, selection.row, selection.step].every((one) => one === undefined),
    },
    view: { ...DEFAULT_VIEW, ...view },
  };
}

/**
 * @param {import("./link.js").Linked} linked
 * @returns {State}
 */
export function initialState(linked) {
  return {
    ...linkedState(linked),
    slots: {
      runs: emptySlot(),
      findings: emptySlot(),
      series: emptySlot(),
      layers: emptySlot(),
      heat: emptySlot(),
      layer: emptySlot(),
      counterpart: emptySlot(),
      histogram: emptySlot(),
      profiles: emptySlot(),
      moment: emptySlot(),
      overlays: emptySlot(),
      compare: emptySlot(),
      otherLayers: emptySlot(),
      otherHeat: emptySlot(),
      otherLayer: emptySlot(),
      otherCounterpart: emptySlot(),
      otherProfiles: emptySlot(),
      difference: emptySlot(),
      candidates: emptySlot(),
    },
    theme: "light",
    size: { width: 0, height: 0 },
    said: "",
    hostRuns: null,
    asking: false,
    picking: { open: false, before: null },
    clock: { now: Date.now() / 1000, read: null },
    news: null,
    watched: null,
    touched: false,
    notify: null,
    table: { picked: [], anchor: null, folded: [], scrolled: 0 },
    version: "",
  };
}

/**
 * Another run. While the person follows findings, the new run's first one is shown, and nothing of
 * what showed the finding before; after they chose a layer or metric by hand, that stays, so that
 * runs can be compared.
 *
 * @param {Selection} selection
 * @param {string} run
 * @returns {Selection}
 */
export function selectRun(selection, run) {
  if (selection.run === run) return selection;
  const following = selection.auto || selection.finding !== null;
  return following
    ? { ...emptySelection(), run }
    : { ...selection, run, step: null, provisional: false, missing: null, vanished: null };
}
