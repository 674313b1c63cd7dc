/**
 * What stands on the time axis above the map: the axis itself, and the curves of the whole run.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Surroundings, Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";
import { edgeKinds, outside } from "../charts/line_marks.js";
import { fallsBelow, LABELS } from "../data/curves.js";
import { capital } from "../format/names.js";
import { formatStep, stepNumber } from "../format/steps.js";
import { legendItems } from "./legend_items.js";
import { lossPanel } from "./loss.js";
import { content } from "./states.js";
import { timeCard } from "./time_card.js";

/**
 * The x axis that all charts over time share.
 *
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function timeAxis({ slots, view }, model, handlers, { palette }) {
  const { time, map, gutter, summary, beside } = model;
  if (slots.series.data === null || (time.picked.length === 0 && !map)) return nothing;
  const { whole, chart, onset } = time;
  const [from, to] = chart.extent.map(time.axis.full);
  const loss = time.picked.find((one) => one.axis !== "epoch") ?? time.picked[0];
  const x = loss && time.placement.x.get(loss.name);
  const note = map && !time.axis.shared ? LACKS_CLOCK : null;
  return html`<section class="card axis" aria-label="Time axis of all charts">
    ${timeCard(
      {
        view,
        onset,
        running: model.live?.state === "running",
        title: view.x === "step" ? steps(chart.extent, time) : `${from} – ${to}`,
        note,
        overview: {
          overall: note === null ? (map?.overall ?? null) : null,
          curve: loss && x ? time.outline : null,
          whole,
          extent: chart.extent,
          axis: time.axis,
          gutter,
          label: (note === null && map?.overall?.label) || "Loss, all steps",
          told: summary
            ? endOf(summary, time.axis.unit, beside.runs.length > 0, gutter.right < 100)
            : "",
          palette,
          onZoom: handlers.setZoom,
        },
      },
      handlers,
    )}
  </section>`;
}

const LACKS_CLOCK =
  "Layer records have no values on this axis, so the map and the layer keep their own axis.";

/**
 * "Steps 0 – 48". The last cell of the map reaches beyond its record, but no step lies there.
 *
 * @param {[number, number]} extent
 * @param {Model["time"]} time
 */
function steps([from, to], { axis, last }) {
  const word = capital(`${axis.unit}s`);
  return `${word} ${formatStep(Math.round(from))} – ${formatStep(Math.round(Math.min(to, last)))}`;
}

/**
 * Where the run ends, as its other views say it; beside other runs the axis may go on.
 *
 * @param {import("../types.js").RunSummary} summary
 * @param {string} unit
 * @param {boolean} compared
 * @param {boolean} narrow
 */
function endOf({ last_step: last }, unit, compared, narrow) {
  if (unit !== "step" || stepNumber(last) < 0) return "";
  const step = formatStep(last);
  if (narrow) return compared ? `A to ${step}` : `to ${step}`;
  return compared ? `A ends at step ${step}` : `last step ${step}`;
}

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function curvesPanel({ slots, view }, model, handlers, around) {
  return content(slots.series, {
    what: "Curves",
    retry: () => handlers.again("series"),
    ready: () => {
      const { time } = model;
      return lossPanel(
        {
          view,
          log: time.log,
          norms: time.norms,
          metrics: time.metrics,
          all: time.all,
          notes: notes(time),
          edges: edgeKinds(marked(time.chart), time.chart.extent),
          negative: time.picked.some(fallsBelow),
          series: time.picked,
          chart: {
            ...time.chart,
            gutter: model.gutter,
            ends: around.ends,
            read: time.read,
            onZoom: handlers.setZoom,
            onPick: handlers.selectStep,
            onFlag: handlers.showFinding,
          },
          legend: {
            items: legendItems(time, view.hidden, model.beside.color),
            placement: time.placement,
            formatX: time.formatX,
            cursor: time.chart.cursor,
            ends: around.ends,
            onToggle: handlers.toggleSeries,
          },
        },
        handlers,
      );
    },
  });
}

/**
 * Lines with the marks that are drawn one by one.
 *
 * @param {Model["time"]["chart"]} chart
 */
function marked({ lines, spans = [] }) {
  return lines.map((line) => outside(line, spans));
}

/** @param {Model["time"]} time */
function notes({ placement, picked }) {
  const found = [];
  const missing = picked.filter((one) => placement.unplaced.includes(one.name));
  if (missing.length) {
    const names = missing.map((one) => LABELS.get(one.name) ?? one.title).join(", ");
    found.push(
      `${names}: recorded per epoch, and its wall times do not reveal the steps. Not shown on this axis.`,
    );
  } else if (placement.epochs) found.push("This run counts epochs, not steps.");
  return found;
}
