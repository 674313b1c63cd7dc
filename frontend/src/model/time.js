/**
 * What the curves of the whole run are given: lines, axis, flags.
 *
 * @import { Flag, Line, LineProps } from "../charts/line.js"
 * @import { Placement } from "../data/axes.js"
 * @import { Colors } from "../data/curves.js"
 * @import { PlacedOverlay } from "./overlays.js"
 * @import { Finding, Heat, Overlay, Series, View, XAxis } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Surroundings } from "./model.js"
 */
import { place } from "../data/axes.js";
import { chosenSeries, curves, extentOf, logByDefault } from "../data/curves.js";
import { visible } from "../format/names.js";
import { formatTick } from "../format/numbers.js";
import { isOver, lookOf } from "../format/severity.js";
import {
  formatClock,
  formatDuration,
  formatStep,
  formatStepShort,
  stepNumber,
} from "../format/steps.js";
import { memo } from "../state/memo.js";
import { tree } from "../views/findings.js";
import { heatSpan } from "./map.js";
import { overlayLines, placedOverlays } from "./overlays.js";

/**
 * @typedef {object} TimeModel
 * @property {Series[]} picked  In the order of the legend.
 * @property {Placement} placement
 * @property {PlacedOverlay[]} beside  The other runs' curves.
 * @property {boolean} log
 * @property {boolean} norms  Whether the run has global norms.
 * @property {boolean} onSteps  Whether the axis counts steps, as the map's does.
 * @property {(x: number) => string} formatX  A place on the axis, in words.
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
  const formatting = memo(formats);

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{colors: Colors, color: (run: string) => string, findings: Finding[],
   *   heat: Heat | null, overlays: Overlay[]}} of
   * @returns {TimeModel}
   */
  return ({ selection, view, slots }, around, { colors, color, findings, heat, overlays }) => {
    const series = slots.series.data?.series ?? NO_SERIES;
    const picked = picking(series, view.chart);
    const placement = placing(series, view.x);
    const beside = placingBeside(overlays, view.chart, view.x, placement.epochs);
    const log = view.log ?? scaling(picked, beside, view.chart);
    const onSteps = view.x === "step" && !placement.epochs;
    const whole = spanning(placement, picked, beside, onSteps ? heat : null);
    const format = formatting(view.x, placement, whole);
    return {
      picked,
      placement,
      beside,
      log,
      norms: series.some((one) => one.name === "gradient_global_norm"),
      onSteps,
      formatX: format.full,
      chart: {
        lines: joining(
          drawing(picked, placement, view, log, colors, around.palette),
          drawingBeside(beside, view, log, color, around.palette),
        ),
        extent: view.zoom ?? whole,
        kind: KINDS[view.x],
        formatX: format.tick,
        label: "Curves of the whole run",
        unit: view.x === "step" ? (placement.epochs ? "epoch" : "step") : "",
        log,
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

/** @type {Record<XAxis, LineProps["kind"]>} */
const KINDS = { step: "count", relative: "duration", wall: "clock" };

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
  const span = heat && heat.cells > 0 ? [[...heatSpan(heat)]] : [];
  return extentOf([...xs, ...span]) ?? [0, 1];
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

/**
 * @param {XAxis} x
 * @param {Placement} placement
 * @param {[number, number]} extent
 */
function formats(x, placement, extent) {
  if (x === "relative") return { tick: formatDuration, full: formatDuration };
  if (x === "wall") {
    const clock = (/** @type {number} */ value) => formatClock(value, extent[1] - extent[0]);
    return { tick: clock, full: clock };
  }
  const unit = placement.epochs ? "epoch" : "step";
  return {
    tick: formatStepShort,
    full: (/** @type {number} */ value) => `${unit} ${formatStep(Math.round(value))}`,
  };
}
