/**
 * The panel beneath the map: the selected row, or the profile over depth.
 *
 * @import { LineProps } from "../charts/line.js"
 * @import { Handlers } from "../handlers.js"
 * @import { Surroundings, Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 * @import { Column, Group, LayerReply } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { fullName } from "../format/names.js";
import { formatPercent, formatTick, isFraction } from "../format/numbers.js";
import { formatStepShort, stepNumber } from "../format/steps.js";
import { layerCharts, layerHead } from "./layer.js";
import { profileView } from "./profile.js";
import { content } from "./states.js";

const TABS = /** @type {const} */ ([
  ["layer", "Layer"],
  ["profile", "Depth profile"],
]);
const GUTTER = { left: 44, right: 10 };

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function layerPanel(state, model, handlers, around) {
  const { group, row } = model;
  if (!group || row < 0) return nothing;
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
              },
              handlers,
            )}
            ${content(state.slots.layer, {
              what: "Layer",
              retry: () => handlers.again("layer"),
              ready: (reply) => charts(reply, state, model, handlers, around),
            })}`
          : profile(model, handlers, around)
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
  const { small } = model.detail;
  if (!small) return nothing;
  const steps = reply.steps;
  const span = /** @type {[number, number]} */ (
    steps.length ? [stepNumber(steps[0]), stepNumber(steps[steps.length - 1])] : [0, 1]
  );
  const whole = model.time.onSteps ? model.time.chart.extent : span;
  return layerCharts({
    charts: small.charts.map((chart, index) => ({
      small: chart,
      chart: {
        ...base(around),
        lines: small.lines[index],
        extent: whole[1] > whole[0] ? whole : [whole[0] - 0.5, whole[0] + 0.5],
        log: chart.log,
        range: chart.fraction ? [0, 1] : null,
        formatY: chart.fraction ? formatPercent : formatTick,
        healthy: chart.healthy,
        mark: state.selection.step,
        onPick: handlers.selectStep,
      },
    })),
    constant: small.constant,
    step: state.selection.step,
    valueAt: (column) => valueAt(column, reply, state.selection.step),
  });
}

/**
 * @param {Surroundings} around
 * @returns {Omit<LineProps, "lines" | "extent" | "log" | "formatY" | "mark" | "onPick">}
 */
function base({ palette, cursor }) {
  return {
    kind: "count",
    formatX: formatStepShort,
    unit: "step",
    gutter: GUTTER,
    flags: NO_FLAGS,
    palette,
    cursor,
    fromStep: same,
    toStep: same,
    onZoom: null,
    onFlag: null,
  };
}

/** @type {import("../charts/line.js").Flag[]} */
const NO_FLAGS = [];
const same = (/** @type {number} */ value) => value;

/**
 * The last value at or before the selected step; without one, the last there is.
 *
 * @param {Column} column
 * @param {LayerReply} reply
 * @param {number | null} step
 */
function valueAt(column, { steps }, step) {
  for (let index = steps.length - 1; index >= 0; index -= 1) {
    if (step !== null && stepNumber(steps[index]) > step) continue;
    const bad = column.nonfinite.find(([at]) => at === index);
    if (bad) return Number(bad[1]);
    if (column.low[index] !== null) return column.low[index];
  }
  return null;
}

/**
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function profile({ detail, group }, handlers, around) {
  const data = detail.profile;
  if (!data || !group) return html`<p class="hint">No data to draw by depth.</p>`;
  const count = data.rows.length;
  return profileView(
    {
      heat: data.heat,
      metric: data.metric,
      cell: data.cell,
      chart: {
        ...base(around),
        lines: data.lines,
        extent: [-0.5, count - 0.5],
        unit: "",
        formatX: (x) => shortRow(group.rows[data.rows[Math.round(x)]]?.layer ?? ""),
        log: data.metric.scale === "log10",
        range: isFraction(data.metric) ? [0, 1] : null,
        formatY: isFraction(data.metric) ? formatPercent : formatTick,
        mark: null,
        fromStep: nowhere,
        toStep: nowhere,
        onPick: null,
      },
    },
    handlers,
  );
}

const nowhere = () => Number.NaN;

/** @param {string} layer */
function shortRow(layer) {
  const shown = fullName(layer);
  return shown.length > 14 ? `…${shown.slice(-13)}` : shown;
}
