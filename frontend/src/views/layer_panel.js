/**
 * The panel beneath the map: the selected row, or the profile over depth.
 *
 * @import { BandsProps } from "../charts/bands.js"
 * @import { LineProps } from "../charts/line.js"
 * @import { BandData } from "../data/bands.js"
 * @import { Handlers } from "../handlers.js"
 * @import { SmallModel } from "../model/detail.js"
 * @import { Surroundings, Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 * @import { Column, Group, LayerReply } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { layerState } from "../data/layer_state.js";
import { badOf } from "../data/small_charts.js";
import { formatPercent, formatTick } from "../format/numbers.js";
import { formatStep, formatStepShort, stepNumber } from "../format/steps.js";
import { healthyRange } from "./healthy.js";
import { histogramFigures } from "./histogram.js";
import { initializationView } from "./initialization.js";
import { isBand, layerCharts, layerHead } from "./layer.js";
import { profile, towardOutput } from "./layer_depth.js";
import { inlineName } from "./name.js";
import { content } from "./states.js";

const TABS = /** @type {const} */ ([
  ["layer", "Layer"],
  ["profile", "Depth profile"],
]);
/** @type {Partial<NonNullable<Model["detail"]>>} */
const NO_DETAIL = {};
const GUTTER = { left: 44, right: 10 };

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function layerPanel(state, model, handlers, around) {
  const { group, row, detail } = model;
  if (!group || row < 0 || !detail) return nothing;
  return html`${tabs(state.view.tab, handlers)}
    <div role="tabpanel" id="layer-tabpanel" aria-labelledby="tab-${state.view.tab}">
      ${
        state.view.tab === "layer"
          ? html`${layerHead(
              {
                row: group.rows[row],
                index: row,
                count: group.rows.length,
                siblings: siblings(model.groups, group, row),
                neighbors: detail.neighbors,
                state: state.slots.layer.data && layerState(state.slots.layer.data, model.step),
                verdict: model.map?.props.marks.get(row)?.verdict ?? null,
                unit: state.slots.layer.data?.axis ?? "step",
                metric: detail.metric,
              },
              handlers,
            )}
            ${content(state.slots.layer, {
              what: "Layer",
              retry: () => handlers.again("layer"),
              ready: (reply) =>
                html`${towardOutput(model, handlers)}${charts(reply, state, model, handlers, around)}`,
            })}`
          : profile(model, handlers)
      }
    </div>`;
}

/**
 * @param {"layer" | "profile"} selected
 * @param {Handlers} handlers
 */
function tabs(selected, handlers) {
  const other = selected === "layer" ? "profile" : "layer";
  return html`<div class="tabs" role="tablist" aria-label="Details"
    @keydown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      handlers.setView({ tab: other });
      const bar = /** @type {HTMLElement} */ (event.currentTarget);
      /** @type {HTMLElement | null} */ (bar.querySelector(`#tab-${other}`))?.focus();
    }}>
    ${TABS.map(
      ([
        id,
        label,
      ]) => html`<button type="button" role="tab" id="tab-${id}" aria-controls="layer-tabpanel"
        aria-selected=${id === selected ? "true" : "false"} tabindex=${id === selected ? 0 : -1}
        @click=${() => handlers.setView({ tab: id })}>${label}</button>`,
    )}
  </div>`;
}

/**
 * Other rows of the same layer, in all groups.
 *
 * @param {Group[]} groups
 * @param {Group} group
 * @param {number} row
 */
function siblings(groups, group, row) {
  const { layer } = group.rows[row];
  return groups
    .filter((one) => one.group === "variables" || one.group === "activations")
    .flatMap((one) =>
      one.rows.flatMap((each, index) =>
        each.layer === layer && !(one === group && index === row)
          ? [{ group: one.group, index, label: one.group === "activations" ? "output" : each.kind }]
          : [],
      ),
    )
    .slice(0, 6);
}

/**
 * @param {LayerReply} reply
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function charts(reply, state, model, handlers, around) {
  const { small, bands, beside, besideBands, theirs } = model.detail ?? NO_DETAIL;
  if (!small) return nothing;
  const view = { state, model, handlers, around };
  const figures = (
    /** @type {LayerReply} */ of,
    /** @type {BandData[] | null | undefined} */ spread,
  ) =>
    html`${histogramFigures(
      (spread ?? []).map((data) => bandsProps(data, view)),
    )}${of.initialization ? initializationView(of.initialization, of.row, of.axis) : nothing}`;
  const shown = smallProps(reply, small, view, theirs);
  return html`${small.colors ? keyOf(model.beside) : nothing}
    ${layerCharts(shown, figures(reply, bands))}
    ${
      beside
        ? html`<h4 class="beside">${besideTitle(beside.reply)}</h4>
          ${layerCharts(
            smallProps(beside.reply, beside, view, beside.across),
            figures(beside.reply, besideBands),
          )}`
        : nothing
    }`;
}

/** @param {Model["beside"]} beside */
function keyOf({ other, colors }) {
  return html`<p class="row-key"><span><i class="dot" .style=${`background:${colors.own}`}></i>this run</span>
    <span><i class="dot" .style=${`background:${colors.other}`}></i><span>${inlineName(other?.run ?? "")}, same scales</span></span></p>`;
}

/** @param {LayerReply} reply */
function besideTitle({ group, row }) {
  return group === "activations" ? html`Output of ${inlineName(row.layer)}` : inlineName(row.name);
}

/**
 * @typedef {{state: State, model: Model, handlers: Handlers, around: Surroundings}} Seen
 */

/**
 * @param {LayerReply} reply
 * @param {SmallModel} small
 * @param {Seen} seen
 * @param {LayerReply | null} [theirs]  Of the run compared.
 */
function smallProps(reply, small, { state, model, handlers, around }, theirs = null) {
  const { step } = model;
  const extent = extentOf(reply.steps, model);
  return {
    charts: small.charts.map((chart, index) => ({
      small: chart,
      at: placeOf(chart.columns, reply, step),
      values: chart.columns.map((column, at) => ({
        column,
        color: small.lines[index].find((one) => one.id === column.name)?.color ?? "",
        value: valueAt(column, reply, step),
        other: otherValue(small, small.theirs?.[index][at], theirs, step),
      })),
      chart: {
        ...base(around, model.time.axis),
        lines: small.lines[index],
        extent,
        log: chart.log,
        range: chart.fraction ? /** @type {[number, number]} */ ([0, 1]) : null,
        formatY: chart.fraction ? formatPercent : formatTick,
        healthy: chart.healthy,
        healthyLabel:
          chart.healthy && isBand(chart.healthy)
            ? healthyRange(chart.healthy, chart.columns[0])
            : "",
        mark: step === null ? null : placeOn(model.time.axis, step),
        onPick: handlers.selectStep,
      },
    })),
    constant: small.constant,
    all: state.view.constants,
    onAll: small.colors
      ? null
      : (/** @type {boolean} */ all) => handlers.setView({ constants: all }),
  };
}

/**
 * @param {SmallModel} small
 * @param {Column | null | undefined} column
 * @param {LayerReply | null} theirs
 * @param {number | null} step
 */
function otherValue({ colors }, column, theirs, step) {
  if (!colors || !theirs || !column) return null;
  return { color: colors.other, value: valueAt(column, theirs, step) };
}

/**
 * @param {BandData} data
 * @param {Seen} seen
 * @returns {BandsProps}
 */
function bandsProps(data, { model, handlers, around }) {
  const { palette, cursor } = around;
  // Epochs of Keras' histograms have no place among the steps of the other views.
  const linked = data.axis === "step" || model.time.placement.epochs;
  const { edges } = data;
  const own = /** @type {[number, number]} */ ([edges[0] ?? 0, edges[edges.length - 1] ?? 1]);
  return {
    data,
    color: palette.series[data.id === "gradient" || data.id === "magnitude" ? 0 : 2],
    extent: linked && model.time.axis.shared ? stepsInView(model.time) : own,
    gutter: GUTTER,
    mark: model.step,
    linked,
    palette,
    cursor,
    onPick: handlers.selectStep,
  };
}

/**
 * The stretch of steps that all charts of the panel show.
 *
 * @param {LayerReply["steps"]} steps
 * @param {Model} model
 * @returns {[number, number]}
 */
function extentOf(steps, { time }) {
  if (time.axis.shared) return wide(time.chart.extent);
  if (!steps.length) return [0, 1];
  return wide([stepNumber(steps[0]), stepNumber(steps[steps.length - 1])]);
}

/**
 * @param {Model["time"]} time
 * @returns {[number, number]}
 */
function stepsInView({ axis, chart }) {
  const [from, to] = chart.extent.map(axis.toStep);
  return wide([from, to]);
}

/**
 * @param {[number, number]} extent
 * @returns {[number, number]}
 */
function wide([low, high]) {
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

/**
 * Where a step stands on a chart's axis.
 *
 * @param {Model["time"]["axis"]} axis
 * @param {number} step
 */
function placeOn({ shared, fromStep }, step) {
  return shared ? fromStep(step) : step;
}

/**
 * @param {Surroundings} around
 * @param {Model["time"]["axis"]} axis
 * @returns {Omit<LineProps, "lines" | "extent" | "log" | "formatY" | "mark" | "onPick">}
 */
function base({ palette, cursor }, axis) {
  const { kind, tick, fromStep, toStep } = axis.shared ? axis : OWN_STEPS;
  return {
    kind,
    formatX: tick,
    unit: kind === "count" ? "step" : "",
    gutter: GUTTER,
    flags: NO_FLAGS,
    palette,
    cursor,
    fromStep,
    toStep,
    onZoom: null,
    onFlag: null,
  };
}

/** @type {import("../charts/line.js").Flag[]} */
const NO_FLAGS = [];
const same = (/** @type {number} */ value) => value;
/** @type {Pick<Model["time"]["axis"], "kind" | "tick" | "fromStep" | "toStep">} */
const OWN_STEPS = { kind: "count", tick: formatStepShort, fromStep: same, toStep: same };

/**
 * The last value at or before the selected step; without one, the last there is.
 *
 * @param {Column} column
 * @param {LayerReply} reply
 * @param {number | null} step
 */
function valueAt(column, reply, step) {
  const [index, kind] = recordAt(column, reply, step);
  return kind ? Number(kind) : (column.low[index] ?? null);
}

/**
 * The record of `valueAt`, and what is not finite there; -1 without one.
 *
 * @param {Column} column
 * @param {LayerReply} reply
 * @param {number | null} step
 * @returns {[number, string | null]}
 */
function recordAt(column, reply, step) {
  /** @type {Map<number, string>} */
  const bad = new Map(badOf(column, reply, false));
  for (let index = reply.steps.length - 1; index >= 0; index -= 1) {
    if (step !== null && stepNumber(reply.steps[index]) > step) continue;
    const kind = bad.get(index) ?? null;
    if (kind || column.low[index] !== null) return [index, kind];
  }
  return [-1, null];
}

/**
 * At which step the values above a small chart were recorded, in words; the last of them.
 *
 * @param {Column[]} columns
 * @param {LayerReply} reply
 * @param {number | null} step
 */
function placeOf(columns, reply, step) {
  const last = Math.max(...columns.map((column) => recordAt(column, reply, step)[0]));
  return last < 0 ? "" : `${reply.axis} ${formatStep(reply.steps[last])}`;
}
