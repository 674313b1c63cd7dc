/**
 * From the state to what each view is given. Pure, and remembered piece by piece: a piece keeps its
 * identity until something it depends on changes.
 *
 * @import { Cursor, Hover } from "../charts/cursor.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { Finding, Group, Heat, Metric, RunSummary } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Gutters } from "./layout.js"
 * @import { MapModel } from "./map.js"
 * @import { TimeModel } from "./time.js"
 */

import { partnerColor } from "../charts/palette.js";
import { stepNumber } from "../format/steps.js";
import { present } from "../host/later.js";
import { memo } from "../state/memo.js";
import { rowIndex } from "../state/selection.js";
import { createBesideModel } from "./beside.js";
import { gutters } from "./layout.js";
import { liveOf, usualGap } from "./live.js";
import { createMapModel } from "./map.js";
import { listRuns } from "./run_list.js";
import { createTimeModel } from "./time.js";

/**
 * @typedef {object} Surroundings
 * @property {Palette} palette
 * @property {Cursor} cursor
 * @property {Hover} hover
 * @property {import("../charts/line.js").Ends} ends  Of the curves of the whole run.
 * @property {import("../data/api.js").Api["landscapes"]} landscapes
 * @property {import("../data/api.js").Api["experiments"]} experiments
 *
 * @typedef {object} Model
 * @property {{runs: RunSummary[], list: import("./run_list.js").RunList, pending: number}} runs
 * @property {import("./live.js").Live | null} live  How the selected run is doing.
 * @property {RunSummary | null} summary  Of the selected run.
 * @property {string} color  Of the selected run.
 * @property {import("./beside.js").BesideModel} beside
 * @property {Group[]} groups
 * @property {Group | null} group  The selected one.
 * @property {Metric | null} metric  The selected one, of `group`.
 * @property {number} row  Index of the selected row in `group`; -1 without one.
 * @property {number | null} step  The selected one, where it counts what the layers count.
 * @property {Gutters} gutter
 * @property {TimeModel} time
 * @property {MapModel | null} map
 * @property {ReturnType<Detailing> | null} detail  null until the layer's part of the page is here.
 *
 * @typedef {ReturnType<typeof import("./detail.js").createDetailModel>} Detailing
 */

export function createModel() {
  const ordering = memo(listRuns);
  const coloring = memo(colorsOf);
  const time = createTimeModel();
  const map = createMapModel();
  const beside = createBesideModel();
  /** The layer's part of the page comes after what opens it. @type {Detailing | null} */
  let detail = null;

  /** @param {Parameters<Detailing>} given */
  function details(...given) {
    detail ??= present()?.createDetailModel() ?? null;
    return detail ? detail(...given) : null;
  }

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {State["slots"]["heat"]} beneath  The map as the views beneath it know it: while a new one
   *   is painted, the one before; see state/render_order.js.
   * @returns {Model}
   */
  return (state, around, beneath = state.slots.heat) => {
    const { selection, view, slots } = state;
    const runs = slots.runs.data?.runs ?? [];
    const position = runs.findIndex((run) => run.run === selection.run);
    const findings = slots.findings.data?.findings ?? NO_FINDINGS;
    const finding = findings.find((one) => one.id === selection.finding) ?? null;
    const groups = slots.layers.data?.groups ?? NO_GROUPS;
    const group = groups.find((one) => one.group === selection.group) ?? null;
    const row = group ? rowIndex(group.rows, selection.row) : -1;
    const others = beside(state, runs, group);
    const heat = matching(slots.heat, group);
    const gutter = gutters(state.size.width);
    const timeModel = time(state, around, {
      colors: coloring(others.own, position, others.runs.length > 0, around.palette),
      color: others.color,
      findings,
      heat,
      overlays: others.overlays,
    });
    // What was found in curves that count epochs has no place among steps.
    const foreign = timeModel.placement.epochs && finding !== null && finding.layers.length === 0;
    const begins = finding && stepNumber(finding.first_step);
    const step = foreign && selection.step === begins ? null : selection.step;
    const extent = timeModel.axis.shared ? timeModel.chart.extent : null;
    return {
      runs: {
        runs,
        list: ordering(runs, view),
        pending: slots.runs.data?.pending ?? 0,
      },
      live: living(runs[position], state),
      summary: runs[position] ?? null,
      color: others.own,
      beside: others,
      groups,
      group,
      metric: group?.metrics.find((one) => one.name === selection.metric) ?? null,
      row,
      gutter,
      time: timeModel,
      map: map(state, around, {
        heat,
        group,
        row,
        findings,
        finding: foreign ? null : finding,
        step,
        gutter,
        axis: timeModel.axis,
        extent,
        beside: others.map,
        bare: beneath !== slots.heat,
        run: runs[position] ?? null,
      }),
      step,
      detail: details(state, around, {
        heat: matching(beneath, group),
        group,
        row,
        step,
        axis: timeModel.axis,
        runs: others,
      }),
    };
  };
}

/**
 * @param {RunSummary | undefined} run
 * @param {State} state
 */
function living(run, { slots, clock }) {
  if (!run) return null;
  const away = slots.runs.error?.reason === "network";
  return liveOf(run, usualGap(slots.series), { ...clock, away });
}

/**
 * @param {string} run
 * @param {number} position Of the run.
 * @param {boolean} beside
 * @param {Palette} palette
 */
function colorsOf(run, position, beside, palette) {
  return { run, partner: beside ? run : partnerColor(position, palette), beside };
}

/** @type {Finding[]} */
const NO_FINDINGS = [];
/** @type {Group[]} */
const NO_GROUPS = [];

/**
 * A map must fit the rows on screen: one of another run or group cannot be labeled.
 *
 * @param {State["slots"]["heat"]} slot
 * @param {Group | null} group
 * @returns {Heat | null}
 */
function matching({ data, previous }, group) {
  const heat = data ?? previous;
  if (!heat || !group) return null;
  return heat.header.group === group.group && heat.rows === group.rows.length ? heat : null;
}
