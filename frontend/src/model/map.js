/**
 * What the heat map is given: the rows in their order, colors, marks.
 *
 * @import { HeatProps, RowMark } from "../charts/heat.js"
 * @import { ColorRange } from "../charts/ranges.js"
 * @import { Finding, Group, Heat, Metric, Row, RunSummary, View } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Gutters } from "./layout.js"
 * @import { Surroundings } from "./model.js"
 * @import { Axis } from "./axis.js"
 */
import { healthOf } from "../charts/health.js";
import { wantedHeight } from "../charts/heat_layout.js";
import { shownRows } from "../charts/order.js";
import { badnessOf, worstByRow } from "../charts/pool.js";
import { colorRange, sharedRange } from "../charts/ranges.js";
import { INFINITE, NAN } from "../data/decode.js";
import { visible } from "../format/names.js";
import { formatValue } from "../format/numbers.js";
import { badness, isOver, lookOf } from "../format/severity.js";
import { formatStepRange, stepNumber } from "../format/steps.js";
import { present } from "../host/later.js";
import { memo } from "../state/memo.js";
import { rowsOf } from "../state/selection.js";
import { tree } from "../views/findings.js";
import { edgesOn } from "./axis.js";
import { cellsOf } from "./cell.js";
import { heatRoom } from "./layout.js";
import { codesOf, cut, differenceCells, headingOf, OWN_AXIS } from "./map_parts.js";
import { isCalm, lineOf, overallOf } from "./run_strip.js";

/**
 * @typedef {Omit<HeatProps, "onHover" | "onOpen">} MapProps
 * @typedef {Pick<MapProps, "marks" | "selectedRow" | "selectedStep" | "onset" | "axis" | "edges" | "extent" | "gutter" | "palette" | "cursor">} Rest
 *   What a map has whatever it shows.
 * @typedef {{each: number, most: number}} Room
 */

/**
 * @typedef {object} WorstRow
 * @property {number} row
 * @property {string} name
 * @property {string} value
 * @property {string} steps
 *
 * @typedef {object} MapBeside  What a map needs of the run compared in detail.
 * @property {string} run
 * @property {(number | null)[]} partners  Its row for each row of the group.
 * @property {Heat | null} heat  Of the same metric, for colors in common.
 * @property {Heat | null} difference
 *
 * @typedef {object} MapModel
 * @property {MapProps} props
 * @property {Codes} codes  Which marks occur.
 * @property {boolean} limited  Whether any row has limits to be held against.
 * @property {Overall | null} overall  The worst of all rows; null where no row has limits.
 * @property {number} recordsInView
 * @property {WorstRow[]} worst
 *
 * @typedef {{nan: boolean, infinite: boolean, none: boolean, free: boolean}} Codes
 *
 * @typedef {object} Overall  Over all steps, for the overview.
 * @property {Pick<Heat, "rows" | "cells" | "values" | "codes">} heat  One row, of distances.
 * @property {Float64Array} edges  On the x axis.
 * @property {string} label  What it is the worst of.
 */

export function createMapModel() {
  const reading = memo(colorRange);
  const worsting = memo(worstOf);
  const sharing = memo(withOther);
  const ordering = memo(shownRows);
  const judging = memo(rowMarks);
  const listing = memo(worstRows);
  /** @type {ReturnType<typeof import("./difference.js").createDifferenceModel> | null} */
  let difference = null;
  const judged = memo(healthOf);
  const worstDistance = memo((/** @type {Heat} */ heat) => worstByRow(heat, Math.abs));
  const placing = memo(edgesOn);
  const cutting = memo(cut);
  const heading = memo(headingOf);
  const celling = memo(cellsOf);
  const coding = memo(codesOf);
  const pooling = memo(overallOf);
  const calm = memo(isCalm);
  const lining = memo(lineOf);
  const saying = memo(differenceCells);

  /**
   * How another run differs.
   *
   * @param {Heat} shown
   * @param {Group} group
   * @param {Metric} metric
   * @param {MapBeside} beside
   * @param {View} view
   * @param {Rest} rest
   * @param {Room} room
   * @returns {MapModel | null} null until that part of the page is here.
   */
  function apart(shown, group, metric, { partners, run: other }, { order, filter }, rest, room) {
    difference ??= present()?.createDifferenceModel() ?? null;
    if (!difference) return null;
    const map = difference({
      ...{ heat: shown, group, metric, partners, other, order, filter, room },
      rest: { ...rest, health: null, crossing: "" },
    });
    const cell = saying(map.props.read, map.props.heat, group.rows);
    return { ...map, props: { ...map.props, cell } };
  }

  /**
   * The run's own map.
   *
   * @param {{heat: Heat, group: Group, metric: Metric, view: View, rest: Rest, room: Room,
   *   other: Heat | null, bare: boolean, found: boolean, run: RunSummary | null}} of  `other`: the same of a run that is
   *   compared; `found`: whether a finding is selected.
   * @returns {MapModel}
   */
  function alone({ heat, group, metric, view, rest, room, other, bare, found, run }) {
    const { rows } = group;
    const limits = judged(heat, metric);
    const health = showsHealth(view.shade, limits, found) ? limits : null;
    const part = cutting(heat, rest.edges, rest.extent);
    const own = reading(part, metric);
    const worst = health ? worstDistance(health.heat) : worsting(heat, metric, own);
    const ranked = view.order === "worst" ? worst : null;
    const order = ordering(rows, view.order, view.filter, ranked, limits?.first ?? null);
    const overall = limits && pooling(limits.heat, rest.edges, metric);
    return {
      codes: coding(health?.heat ?? heat),
      limited: limits !== null,
      overall: overall && ((calm(overall) && lining(run, rest.axis, heatSpan(rest)[1])) || overall),
      recordsInView: part.cells,
      worst: bare ? NO_ROWS : listing(rows, heat, metric, worst),
      props: {
        ...rest,
        heat,
        rows,
        order,
        metric,
        health,
        crossing: health ? heading(health, metric) : "",
        cell: celling(heat, rows, metric, limits, rest.edges, rest.extent),
        range: sharing(part, own, other, metric),
        height: wantedHeight(order.length, room.each, room.most),
        label:
          `${metric.title}: ${rows.length} rows over ${heat.cells} ranges of steps. ` +
          "Arrow keys move, Enter opens the row.",
      },
    };
  }

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{heat: Heat | null, group: Group | null, row: number, findings: Finding[],
   *   finding: Finding | null, step: number | null, gutter: Gutters, axis: Axis,
   *   extent: [number, number] | null,
   *   beside: MapBeside | null, bare: boolean, run: RunSummary | null}} of  `bare`: whether the picture is to be painted
   *   before what is said of it.
   * @returns {MapModel | null} null while there is no map.
   */
  return (
    { view, size },
    around,
    { heat, group, row, findings, finding, step, gutter, axis, extent, beside, bare, run },
  ) => {
    const shown = beside && view.map === "difference" ? beside.difference : heat;
    const metric = group?.metrics.find((one) => one.name === shown?.header.metric);
    if (!shown || !group || !metric) return null;
    const room = heatRoom(size, view.full === "map");
    const rest = {
      marks: judging(findings, group.rows, finding),
      selectedRow: row,
      selectedStep: step,
      onset: finding && { step: stepNumber(finding.first_step), verdict: lookOf(finding) },
      axis: extent ? axis : OWN_AXIS,
      edges: extent ? placing(shown.edges, axis) : shown.edges,
      extent: extent ?? heatSpan(shown),
      gutter,
      palette: around.palette,
      cursor: around.cursor,
    };
    if (beside && shown === beside.difference)
      return apart(shown, group, metric, beside, view, rest, room);
    if (!heat) return null;
    const found = finding !== null && !isOver(finding);
    return alone({
      heat,
      group,
      metric,
      view,
      rest,
      room,
      other: beside?.heat ?? null,
      bare,
      found,
      run,
    });
  };
}

/**
 * Whether the colors say health. A map that is neutral all over would contradict a finding that is
 * looked at: unless it is asked for, its values are shown then.
 *
 * @param {View["shade"]} shade
 * @param {import("../charts/health.js").Health | null} limits
 * @param {boolean} found
 */
export function showsHealth(shade, limits, found) {
  if (shade !== null || !limits) return shade === "health";
  return !found || limits.first.some((cell) => cell >= 0);
}

/**
 * What a map covers of its axis.
 *
 * @param {Pick<Heat, "edges">} heat
 * @returns {[number, number]}
 */
export function heatSpan({ edges }) {
  return edges.length ? [edges[0], edges[edges.length - 1]] : [0, 1];
}

/**
 * What stands beside the names of rows: the severity of the selected finding where it names them; else
 * the worst of what it explains, and of the others that are listed first-hand.
 *
 * @param {Finding[]} findings
 * @param {Row[]} rows
 * @param {Finding | null} selected
 * @returns {Map<number, RowMark>}
 */
export function rowMarks(findings, rows, selected) {
  /** @type {Map<number, RowMark>} */
  const found = new Map();
  const { heads, explained } = tree(findings);
  const mark = (/** @type {Finding} */ finding, /** @type {string} */ lead, own = false) => {
    const verdict = lookOf(finding);
    for (const row of rowsOf(finding, rows)) {
      const held = found.get(row);
      const worse = !held || (!held.own && badness(verdict) < badness(held.verdict));
      const said = lead + visible(finding.title);
      found.set(row, {
        own: own || held?.own === true,
        verdict: worse ? verdict : held.verdict,
        title: held ? `${held.title}\n${said}` : said,
      });
    }
  };
  if (selected) mark(selected, "", true);
  for (const one of explained.get(selected?.id ?? "") ?? []) mark(one, "Explained by it: ");
  for (const one of heads) {
    if (one !== selected && !isOver(one)) mark(one, "Another finding: ");
  }
  return found;
}

/** @param {Heat} heat @param {Metric} metric @param {ColorRange} range */
function worstOf(heat, metric, { low, high, log }) {
  const center = log ? Math.sqrt(low * high) : (low + high) / 2;
  return worstByRow(heat, badnessOf(metric.worst, log, center));
}

/**
 * The colors of a map beside another run's.
 *
 * @param {Heat} heat
 * @param {ColorRange} own
 * @param {Heat | null} other
 * @param {Metric} metric
 */
function withOther(heat, own, other, metric) {
  return sharedRange(heat, own, other && other.cells > 0 ? colorRange(other, metric) : null);
}

const WORST_ROWS = 12;
/** @type {WorstRow[]} */
const NO_ROWS = [];

/**
 * @param {Row[]} rows
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {ReturnType<typeof worstByRow>} worst
 * @returns {WorstRow[]}
 */
function worstRows(rows, heat, metric, worst) {
  const { first_steps: first, last_steps: last } = heat.header;
  return shownRows(rows, "worst", "", worst)
    .slice(0, WORST_ROWS)
    .map((row) => {
      const { code, value, cell } = worst[row];
      const said = code === NAN ? "NaN" : code === INFINITE ? "Inf" : formatValue(value, metric);
      return {
        row,
        name: rows[row].name,
        value: cell < 0 ? "no data" : said,
        steps: cell < 0 ? "" : formatStepRange(first[cell], last[cell]),
      };
    });
}
