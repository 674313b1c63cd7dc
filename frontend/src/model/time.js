/**
 * What the curves of the whole run are given: lines, axis, flags.
 *
 * @import { Flag, Line, LineProps, Span } from "../charts/line.js"
 * @import { Placement } from "../data/axes.js"
 * @import { Colors } from "../data/curves.js"
 * @import { Axis } from "./axis.js"
 * @import { PlacedOverlay } from "./overlays.js"
 * @import { Finding, Heat, Overlay, Series, View } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Surroundings } from "./model.js"
 */
import { place } from "../data/axes.js";
import {
  chosenSeries,
  curves,
  extentOf,
  hasMetrics,
  LABELS,
  logByDefault,
  readAt,
} from "../data/curves.js";
import { uncapital, visible } from "../format/names.js";
import { formatNumber, formatTick } from "../format/numbers.js";
import { isOver, lookOf } from "../format/severity.js";
import { stepNumber } from "../format/steps.js";
import { memo } from "../state/memo.js";
import { tree } from "../views/findings.js";
import { axisOf, edgesOn, sharesSteps } from "./axis.js";
import { heatSpan } from "./map.js";
import { overlayLines, placedOverlays } from "./overlays.js";
import { inView, onsetOf } from "./window.js";

/**
 * @typedef {object} TimeModel
 * @property {Series[]} picked  In the order of the legend.
 * @property {Placement} placement
 * @property {PlacedOverlay[]} beside  The other runs' curves.
 * @property {boolean} log
 * @property {boolean} norms  Whether the run has global norms.
 * @property {boolean} metrics  Whether it has metrics of its framework.
 * @property {Series[]} all  What can be pinned.
 * @property {Axis} axis
 * @property {[number, number]} whole  All that there is on the axis.
 * @property {number} last  The last record on the axis, where that counts steps.
 * @property {[number, number] | null} onset  The stretch around the beginning of the finding; null
 *   where nothing began, or where it would be nearly all.
 * @property {(x: number) => string} formatX  A place on the axis, in words.
 * @property {{x: number[], y: (number | null)[], log: boolean} | null} outline  Of the main curve.
 * @property {(x: number) => string} read  A place on the axis and the main curve's value there.
 * @property {Omit<LineProps, "gutter" | "onZoom" | "onPick" | "onFlag">} chart
 */

export function createTimeModel() {
  const picking = memo(chosenSeries);
  const placing = memo(place);
  const drawing = memo(curves);
  const placingBeside = memo(placedOverlays);
  const drawingBeside = memo(overlayLines);
  const joining = memo(joined);
  const scaling = memo(logOf);
  const flagging = memo(flagsOf);
  const spanning = memo(sharedExtent);
  const lasting = memo(lastOf);
  const surrounding = memo(onsetOf);
  const windowing = memo(inView);
  const axes = memo(axisOf);
  const striping = memo(spansOf);
  const outlining = memo(outlineOf);
  const reading = memo(readerOf);

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{colors: Colors, color: (run: string) => string, findings: Finding[],
   *   heat: Heat | null, overlays: Overlay[]}} of
   * @returns {TimeModel}
   */
  return ({ selection, view, slots }, around, { colors, color, findings, heat, overlays }) => {
    const series = slots.series.data?.series ?? NO_SERIES;
    const chart = view.chart === "metrics" && !hasMetrics(series) ? "loss" : view.chart;
    const picked = picking(series, chart, view.pinned);
    const placement = placing(series, view.x);
    const beside = placingBeside(overlays, chart, view.x, placement.epochs);
    const log = view.log ?? scaling(picked, beside, chart);
    const shared = sharesSteps(view.x, placement);
    const whole = spanning(placement, picked, beside, shared ? heat : null);
    const finding = findings.find((one) => one.id === selection.finding) ?? null;
    const onset = surrounding(finding, series, placement, whole);
    const extent = windowing(view.zoom, whole, onset?.window ?? null, onset?.lost === true);
    const axis = axes(view.x, placement, extent[1] - extent[0], shared);
    return {
      picked,
      placement,
      beside,
      log,
      metrics: hasMetrics(series),
      all: series,
      norms: series.some((one) => one.name === "gradient_global_norm"),
      axis,
      whole,
      last: lasting(placement, picked, beside, shared ? heat : null),
      onset: onset?.window ?? null,
      formatX: axis.full,
      outline: outlining(picked, placement, log),
      read: reading(picked, placement, view.hidden, axis),
      chart: {
        lines: joining(
          drawing(picked, placement, view, log, colors, around.palette),
          drawingBeside(beside, view, log, color, around.palette),
        ),
        extent,
        spans: striping(picked, placement, view.hidden, axis),
        kind: axis.kind,
        formatX: axis.tick,
        label: "Curves of the whole run",
        unit: view.x === "step" ? (placement.epochs ? "epoch" : "step") : "",
        log,
        trimmed: view.outliers,
        formatY: formatTick,
        formatRight: formatTick,
        flags: flagging(findings, selection.finding, placement),
        mark: markOf(selection.step, findings, selection.finding, placement),
        palette: around.palette,
        cursor: around.cursor,
        fromStep: placement.fromStep,
        toStep: placement.toStep,
      },
    };
  };
}

/** @type {Series[]} */
const NO_SERIES = [];

/**
 * Flags for what is listed first-hand; a finding that another explains, or that is over, only while
 * it is selected.
 *
 * @param {Finding[]} findings
 * @param {string | null} selected
 * @param {Placement} placement
 * @returns {Flag[]}
 */
export function flagsOf(findings, selected, placement) {
  const { heads } = tree(findings);
  return findings
    .filter((finding) => finding.id === selected || (heads.includes(finding) && !isOver(finding)))
    .map((finding) => ({
      id: finding.id,
      x: placement.fromStep(stepNumber(finding.first_step)),
      label: visible(finding.title),
      verdict: lookOf(finding),
      selected: finding.id === selected,
    }))
    .filter((flag) => Number.isFinite(flag.x));
}

/**
 * The stretch that curves and map cover together.
 *
 * @param {Placement} placement
 * @param {Series[]} picked
 * @param {PlacedOverlay[]} beside
 * @param {Heat | null} heat
 * @returns {[number, number]}
 */
function sharedExtent(placement, picked, beside, heat) {
  const xs = [{ placement, picked }, ...beside].flatMap((run) =>
    run.picked.flatMap((series) => {
      const x = run.placement.x.get(series.name);
      return x ? [x] : [];
    }),
  );
  const ends = heat && heat.cells > 0 ? heatSpan({ edges: edgesOn(heat.edges, placement) }) : [];
  const span = ends.every(Number.isFinite) ? [ends] : [];
  return extentOf([...xs, ...span]) ?? [0, 1];
}

/**
 * The last place at which a curve or the map has a record.
 *
 * @param {Placement} placement
 * @param {Series[]} picked
 * @param {PlacedOverlay[]} beside
 * @param {Heat | null} heat
 */
function lastOf(placement, picked, beside, heat) {
  const ends = [{ placement, picked }, ...beside].flatMap((run) =>
    run.picked.flatMap(({ name }) => run.placement.x.get(name)?.slice(-1) ?? []),
  );
  const step = heat?.header.last_steps.at(-1);
  if (step !== undefined) ends.push(placement.fromStep(stepNumber(step)));
  return ends.length > 0 ? Math.max(...ends) : Number.POSITIVE_INFINITY;
}

/**
 * @param {Line[]} own
 * @param {Line[]} beside
 */
function joined(own, beside) {
  return beside.length ? [...beside, ...own] : own;
}

/**
 * One scale for all runs.
 *
 * @param {Series[]} picked
 * @param {PlacedOverlay[]} beside
 * @param {View["chart"]} chart
 */
function logOf(picked, beside, chart) {
  return logByDefault([...picked, ...beside.flatMap((run) => run.picked)], chart);
}

/**
 * The selected step, where it is not the onset that a flag already shows.
 *
 * @param {number | null} step
 * @param {Finding[]} findings
 * @param {string | null} selected
 * @param {Placement} placement
 */
function markOf(step, findings, selected, placement) {
  const finding = findings.find((one) => one.id === selected);
  if (step === null || (finding && stepNumber(finding.first_step) === step)) return null;
  const x = placement.fromStep(step);
  return Number.isFinite(x) ? x : null;
}

/** So many records in a row that are not finite are a stretch; fewer are marked one by one. */
const STRETCH = 3;

/**
 * Stretches in which the loss is not finite.
 *
 * @param {Series[]} picked
 * @param {Placement} placement
 * @param {string[]} hidden
 * @param {Axis} axis
 * @returns {Span[]}
 */
export function spansOf(picked, placement, hidden, axis) {
  const main = mainOf(picked, hidden);
  const xs = (main && placement.x.get(main.name)) ?? [];
  if (!main || xs.length === 0) return NO_SPANS;
  const kinds = new Map(main.nonfinite);
  /** @type {Span[]} */
  const found = [];
  for (let first = 0; first < main.values.length; first += 1) {
    if (!kinds.has(first)) continue;
    let last = first;
    while (kinds.has(last + 1)) last += 1;
    if (last - first + 1 >= STRETCH) {
      const ends = last === main.values.length - 1;
      const what = kinds.get(first) === "NaN" ? "NaN" : "infinite";
      const words = `${what} ${ends ? "from" : "at"} ${axis.full(xs[first])}`;
      found.push({
        from: xs[first],
        to: ends ? Infinity : xs[last],
        label: words,
        line: main.name,
      });
    }
    first = last;
  }
  return found;
}

/** @type {Span[]} */
const NO_SPANS = [];

/**
 * @param {Series[]} picked
 * @param {Placement} placement
 * @param {boolean} log
 */
function outlineOf(picked, placement, log) {
  const main = mainOf(picked, []);
  const x = main && placement.x.get(main.name);
  return main && x ? { x, y: main.values, log } : null;
}

/**
 * The curve that the others stand beside: the first that has a value a step.
 *
 * @param {Series[]} picked
 * @param {string[]} hidden
 */
function mainOf(picked, hidden) {
  const shown = picked.filter((one) => !hidden.includes(one.name));
  return shown.find((one) => one.axis !== "epoch") ?? shown[0];
}

/**
 * "step 38, loss 2.26e6".
 *
 * @param {Series[]} picked
 * @param {Placement} placement
 * @param {string[]} hidden
 * @param {Axis} axis
 * @returns {(x: number) => string}
 */
function readerOf(picked, placement, hidden, axis) {
  const main = mainOf(picked, hidden);
  const xs = (main && placement.x.get(main.name)) ?? [];
  const label = (main && LABELS.get(main.name)) ?? main?.title ?? "";
  return (x) => {
    const read = main ? readAt(main, xs, x) : null;
    if (!read) return axis.full(x);
    return `${axis.full(xs[read.index])}, ${uncapital(label)} ${formatNumber(read.value)}`;
  };
}
