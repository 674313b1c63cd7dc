/**
 * The page as a whole: which panels there are, and what stands in them.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Surroundings, Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";
import { LABELS } from "../data/curves.js";
import { shortcutsAreOn } from "../host/shortcuts.js";
import { findingsPanel } from "./findings.js";
import { heatPanel } from "./heatmap.js";
import { helpDialog, pageFoot } from "./help.js";
import { layerPanel } from "./layer_panel.js";
import { lossPanel } from "./loss.js";
import { inlineName } from "./name.js";
import { runsBar } from "./runs.js";
import { content, emptyRun, failure, loading, noLayers, noRuns } from "./states.js";

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function page(state, model, handlers, around) {
  const { runs } = state.slots;
  return html`
    <header class="hidden-label"><h1>Convergence</h1></header>
    <p class="hidden-label" aria-live="polite">${state.said}</p>
    ${
      runs.data === null
        ? html`<main class="alone">${content(runs, {
            what: "Runs",
            retry: () => handlers.again("runs"),
            ready: () => nothing,
          })}</main>`
        : runs.data.runs.length === 0
          ? html`<main class="alone">${noRuns(handlers.copy)}</main>`
          : dashboard(state, model, handlers, around)
    }
    ${pageFoot(state.version, handlers)} ${helpDialog(shortcutsAreOn(), handlers)}`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function dashboard(state, model, handlers, around) {
  const { selection, view, theme } = state;
  const summary = model.summary;
  return html`
    ${runsBar({ ...model.runs, selected: selection.run, view, theme }, handlers)}
    ${stale(state, handlers)}
    ${
      summary?.error
        ? html`<main class="alone">${failure(
            html`This run cannot be read: ${inlineName(summary.run)}`,
            {
              message: `${capital(summary.error)}. The other runs are not affected: choose one above.`,
              reason: "server",
            },
            handlers.refresh,
          )}</main>`
        : html`<main class="panels ${model.row >= 0 ? "" : "no-layer"}">
            <section class="card findings" aria-label="Findings">${findings(state, model, handlers)}</section>
            ${isEmpty(state) ? emptyRun(selection.run ?? "", handlers.copy) : views(state, model, handlers, around)}
          </main>`
    }`;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Whether the selected run has neither curves nor layers.
 *
 * @param {State} state
 */
function isEmpty({ slots }) {
  return slots.series.data?.series.length === 0 && slots.layers.data?.groups.length === 0;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function views(state, model, handlers, around) {
  return html`<div class="views">
      <section class="card time" aria-label="Curves of the whole run">${curves(state, model, handlers)}</section>
      <section class="card map" aria-label="Heat map of layers over steps">${map(state, model, handlers, around)}</section>
    </div>
    ${
      model.group && model.row >= 0
        ? html`<section class="card layer" data-testid="layer-panel" aria-label="Selected layer">
            ${layerPanel(state, model, handlers, around)}
          </section>`
        : nothing
    }`;
}

/**
 * Told when a refresh failed: what is on screen is older than it should be.
 *
 * @param {State} state
 * @param {Handlers} handlers
 */
function stale({ slots, version }, handlers) {
  const failed = Object.values(slots).find((slot) => slot.status === "error" && slot.data !== null);
  if (!failed?.error) return renewed(slots.runs.data?.version ?? "", version);
  return html`<div class="banner" role="alert">
    <span>Could not refresh, so this is what was read before. ${failed.error.message}${
      failed.error.reason === "network" ? " This page notices by itself when it is back." : ""
    }</span>
    <button type="button" class="button" @click=${failed.error.reason === "schema" ? () => location.reload() : handlers.refresh}>
      ${failed.error.reason === "schema" ? "Reload the page" : "Try again"}</button>
  </div>`;
}

/**
 * Told when the plugin was updated beneath an open page.
 *
 * @param {string} served
 * @param {string} opened
 */
function renewed(served, opened) {
  if (served === opened) return nothing;
  return html`<div class="banner" role="status">
    <span>TensorBoard now runs version ${served} of this plugin, and this page is of version ${opened}. Reload the page to use the new one.</span>
    <button type="button" class="button" @click=${() => location.reload()}>Reload the page</button>
  </div>`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 */
function findings({ slots, selection }, { summary, color }, handlers) {
  return content(slots.findings, {
    what: "Findings",
    retry: () => handlers.again("findings"),
    ready: (reply) =>
      summary
        ? findingsPanel({ reply, summary, color, selected: selection.finding }, handlers)
        : nothing,
  });
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 */
function curves({ slots, view }, model, handlers) {
  return content(slots.series, {
    what: "Curves",
    retry: () => handlers.again("series"),
    ready: () => {
      const { time } = model;
      const styles = new Map(time.chart.lines.map((line) => [line.id, line]));
      return lossPanel(
        {
          view,
          log: time.log,
          norms: time.norms,
          notes: notes(time),
          series: time.picked,
          chart: {
            ...time.chart,
            gutter: { left: model.gutter.axis, right: model.gutter.right },
            onZoom: (zoom) => handlers.setView({ zoom }),
            onPick: handlers.selectStep,
            onFlag: handlers.showFinding,
          },
          legend: {
            items: time.picked.map((one) => ({
              series: one,
              label: LABELS.get(one.name) ?? one.title,
              color: styles.get(one.name)?.color ?? "currentColor",
              dash: styles.get(one.name)?.dash ?? [],
              dots: styles.get(one.name)?.dots ?? false,
              shown: !view.hidden.includes(one.name),
            })),
            placement: time.placement,
            formatX: time.formatX,
            cursor: time.chart.cursor,
            onToggle: handlers.toggleSeries,
          },
        },
        handlers,
      );
    },
  });
}

/** @param {Model["time"]} time */
function notes({ placement, picked }) {
  const found = [];
  const missing = picked.filter((one) => placement.unplaced.includes(one.name));
  if (missing.length) {
    const names = missing.map((one) => LABELS.get(one.name) ?? one.title).join(", ");
    found.push(
      `${names}: counted in epochs, and its wall times do not say at which steps. Not shown on this axis.`,
    );
  } else if (placement.epochs) found.push("This run counts epochs, not steps.");
  return found;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function map(state, model, handlers, around) {
  const { slots, view } = state;
  return content(slots.layers, {
    what: "Layers",
    retry: () => handlers.again("layers"),
    ready: ({ groups, run }) => {
      const { group, metric } = model;
      if (!group || !metric) return noLayers(run, handlers.copy);
      const props = model.map?.props;
      return heatPanel(
        {
          groups: groups.filter((one) => one.metrics.length > 0),
          group,
          metric,
          view,
          map: props ? { ...props, onHover: handlers.hoverCell, onOpen: handlers.openRow } : null,
          instead: slots.heat.error
            ? failure("The heat map could not be loaded.", slots.heat.error, () =>
                handlers.again("heat"),
              )
            : loading("Loading the heat map…"),
          codes: model.map?.codes ?? NO_CODES,
          worst: model.map?.worst ?? [],
          hover: around.hover,
          pending: slots.heat.data === null,
        },
        handlers,
      );
    },
  });
}

const NO_CODES = { nan: false, infinite: false, none: false };
