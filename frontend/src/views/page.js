/**
 * The page as a whole: which panels there are, and what stands in them.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Surroundings, Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";
import { capital } from "../format/names.js";
import { present, withLater } from "../host/later.js";
import { shortcutsAreOn } from "../host/shortcuts.js";
import { drawnAt } from "../state/evidence.js";
import { scalarAnswers } from "../state/tags.js";
import { targetOf } from "../state/target.js";
import { allRuns } from "./all_runs.js";
import { experimentsPage } from "./experiments_page.js";
import { findingsPanel } from "./findings.js";
import { pageFoot } from "./foot.js";
import { pageHead } from "./frame.js";
import { heatPanel } from "./heatmap.js";
import { landscapePage } from "./landscape_page.js";
import { missingBanner } from "./missing.js";
import { inlineName } from "./name.js";
import { newsBanner, vanishedNote } from "./news.js";
import { curvesPanel, timeAxis } from "./over_time.js";
import { runsBar } from "./runs.js";
import { stale } from "./stale.js";
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
    ${pageHead({ page: state.view.page, runs: runs.data?.runs.length ?? 0, experiments: model.summary?.experiments || null, live: model.live, notify: state.notify }, handlers)}
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
          : state.view.page === "runs"
            ? allRuns(state, model, handlers)
            : state.view.page === "landscape"
              ? landscapePage(state, model, handlers, around)
              : state.view.page === "experiments"
                ? experimentsPage(state, model, handlers, around)
                : dashboard(state, model, handlers, around)
    }
    ${pageFoot(state.version, handlers)} ${present()?.helpDialog(shortcutsAreOn(), handlers) ?? nothing}`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function dashboard(state, model, handlers, around) {
  const { selection, view } = state;
  const { summary, beside } = model;
  const { runs, list, pending } = model.runs;
  const bar = {
    runs,
    shown: list.shown,
    pending,
    selected: selection.run,
    view,
    compared: beside.runs,
  };
  const shown = state.slots.findings.data?.findings.find(({ id }) => id === selection.finding);
  return html`
    ${runsBar({ ...bar, color: beside.color, mark: beside.mark }, handlers)}
    ${missingBanner(beside.missing, { asked: selection.missing, shown: selection.run }, handlers.forgetMissing)}
    ${newsBanner(state.news, selection.run, handlers)}
    ${vanishedNote(selection.vanished, shown?.title ?? null, handlers)}
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
            ${isEmpty(state) && !asked(state) && !picks(state) ? emptyRun(selection.run ?? "", handlers.copy, lines(state)) : views(state, model, handlers, around)}
          </main>`
    }`;
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
 * Whether there are histograms that the page asks about.
 *
 * @param {State} state
 */
function asked({ slots }) {
  return slots.findings.data?.tag_families.some((family) => family.count > 0) ?? false;
}

/**
 * Whether the page speaks of scalars by name: some may be the loss, or a person has said which is.
 *
 * @param {State} state
 */
function picks({ slots, view, picking }) {
  const { scalars = [] } = slots.findings.data ?? {};
  const asked = scalars.some(({ use }) => use === "asked");
  return asked || picking.open || scalarAnswers(view.tags).size > 0;
}

/**
 * What to add to the program that wrote the run, where that is known.
 *
 * @param {State} state
 */
function lines({ slots }) {
  return slots.findings.data?.recipes[0]?.lines;
}

/**
 * Whether there are lines for other kinds of programs as well.
 *
 * @param {State} state
 */
function waysOf({ slots }) {
  return (slots.findings.data?.recipes.length ?? 0) > 1;
}

/**
 * @param {State} state
 * @param {Handlers} handlers
 */
function asks(state, handlers) {
  const { slots, view, picking } = state;
  const reply = slots.findings.data;
  const curves = slots.candidates;
  const picker =
    reply && picks(state)
      ? withLater(
          ({ lossPicker }) =>
            lossPicker(
              { reply, tags: view.tags, picking: picking.open, before: picking.before, curves },
              handlers,
            ),
          handlers.redraw,
          nothing,
        )
      : nothing;
  return html`${picker} ${histograms(state, handlers)}`;
}

/**
 * @param {Pick<State, "slots" | "view" | "asking">} state
 * @param {Handlers} handlers
 */
function histograms({ slots, view, asking }, handlers) {
  const nothingRead = !slots.layers.data?.groups.some((one) => one.group === "variables");
  const families = slots.findings.data?.tag_families ?? [];
  if (!families.some((family) => family.count > 0)) return nothing;
  return withLater(
    ({ askPanel }) => askPanel({ families, tags: view.tags, asking, nothingRead }, handlers),
    handlers.redraw,
    nothing,
  );
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
function views(state, model, handlers, around) {
  return html`<div class="views">
      ${asks(state, handlers)} ${comparison(state, model, handlers)}
      ${timeAxis(state, model, handlers, around)}
      <section class="card time" data-panel="time" aria-label="Curves of the whole run">${curvesPanel(state, model, handlers, around)}</section>
      <section class="card map" data-panel="map" aria-label="Heat map of layers over steps">${map(state, model, handlers, around)}</section>
    </div>
    ${
      model.group && model.row >= 0
        ? html`<section class="card layer" data-testid="layer-panel" aria-label="Selected layer">
            ${withLater(
              ({ layerPanel }) => layerPanel(state, model, handlers, around),
              handlers.redraw,
              loading("Loading the layer…"),
            )}
          </section>`
        : nothing
    }`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 */
function comparison({ selection, slots }, { beside, groups }, handlers) {
  const { other, runs, color } = beside;
  const { run } = selection;
  if (other === null || run === null) return nothing;
  return html`<section class="card compare" data-testid="comparison" aria-label="Comparison of two runs">
    ${withLater(
      ({ comparePanel }) =>
        comparePanel({ slot: slots.compare, run, other, runs, color, groups }, handlers),
      handlers.redraw,
      loading("Loading comparison…"),
    )}
  </section>`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 */
function findings({ slots, selection, watched }, { summary, color, beside, groups }, handlers) {
  const curves = new Set(slots.series.data?.series.map(({ name }) => name));
  return content(slots.findings, {
    what: "Findings",
    retry: () => handlers.again("findings"),
    ready: (reply) =>
      summary
        ? findingsPanel(
            {
              reply,
              summary,
              color,
              mark: beside.mark(summary.run),
              selected: selection.finding,
              compared: beside.reply,
              watched: watched?.run === reply.run ? watched : null,
              before: (finding, unit) =>
                withLater(
                  ({ beforeFinding }) => beforeFinding(slots, finding, unit),
                  handlers.redraw,
                  nothing,
                ),
              target: (finding) => targetOf(finding, selection, groups, reply.findings),
              drawn: (evidence, finding) => drawnAt(evidence, finding, groups, curves),
              series: slots.series.data?.series ?? [],
            },
            handlers,
          )
        : nothing,
  });
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
      if (!group || !metric)
        return noLayers(run, handlers.copy, lines(state), asked(state), waysOf(state));
      const { beside } = model;
      const { other } = beside;
      const apart = other !== null && view.map === "difference";
      // The map of another statistic is not left standing for one that cannot be had.
      const slot = apart ? slots.difference : slots.heat;
      const failed = slot.error !== null && slot.data === null;
      const props = failed ? null : model.map?.props;
      return heatPanel(
        {
          groups: groups.filter((one) => one.metrics.length > 0),
          group,
          metric,
          view,
          map: props ? { ...props, onHover: handlers.hoverCell, onOpen: handlers.openRow } : null,
          instead: noMap(state, beside, metric, handlers),
          codes: model.map?.codes ?? NO_CODES,
          limited: model.map?.limited ?? false,
          recordsInView: model.map?.recordsInView ?? 0,
          worst: model.map?.worst ?? [],
          hover: around.hover,
          pending: slot.data === null,
          beside: other && {
            run: model.color,
            other: beside.color(other.run),
            name: other.run,
            note: note(beside, run, other.run, handlers),
          },
        },
        handlers,
      );
    },
  });
}

/**
 * @param {Model["beside"]} beside
 * @param {string} run
 * @param {string} other
 * @param {Handlers} handlers
 */
function note({ pairs }, run, other, handlers) {
  if (!pairs) return nothing;
  return withLater(({ pairNote }) => pairNote(pairs, run, other), handlers.redraw, nothing);
}

/**
 * What stands in the map's place while there is none.
 *
 * @param {State} state
 * @param {Model["beside"]} beside
 * @param {import("../types.js").Metric} metric
 * @param {Handlers} handlers
 */
function noMap({ slots, view }, { other, group }, metric, handlers) {
  const apart = other !== null && view.map === "difference";
  const slot = apart ? "difference" : "heat";
  const error = slots[slot].error ?? (apart ? slots.compare.error : null);
  if (error) {
    return failure("The heat map could not be loaded.", error, () => handlers.again(slot));
  }
  const lacks = slots.otherLayers.data && !group?.metrics.some((one) => one.name === metric.name);
  if (apart && lacks) {
    return html`<p class="hint">${inlineName(other.run)} did not record “${metric.title}” of these rows:
      there is nothing to compare. Choose another statistic.</p>`;
  }
  return loading("Loading the heat map…");
}

const NO_CODES = { nan: false, infinite: false, none: false, free: false };
