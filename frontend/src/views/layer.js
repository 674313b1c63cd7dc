/**
 * The selected row: what it is, its neighbors, and its statistics over steps.
 *
 * @import { Neighbor } from "../model/detail.js"
 * @import { LineProps } from "../charts/line.js"
 * @import { SmallChart } from "../data/small_charts.js"
 * @import { LayerState } from "../data/layer_state.js"
 * @import { Column, Metric, Row, Verdict } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { createLineChart } from "../charts/line.js";
import { edgeKinds } from "../charts/line_marks.js";
import { fallsBelow } from "../data/curves.js";
import { formatShape, visible } from "../format/names.js";
import { counted, formatNumber, formatPercent, formatValue } from "../format/numbers.js";
import { formatStep } from "../format/steps.js";
import { limitWords } from "../model/cell.js";
import { edgeKey } from "./edge_key.js";
import { exportMenu } from "./export_menu.js";
import { healthyRange, healthyWords } from "./healthy.js";
import { sign, verdictIcon } from "./icon.js";
import { key } from "./legend.js";
import { mount } from "./mount.js";
import { inlineName, name } from "./name.js";

/**
 * @typedef {object} LayerHead
 * @property {Row} row
 * @property {number} index
 * @property {number} count  Rows of the group.
 * @property {{group: string, index: number, label: string}[]} siblings  Rows of the same layer.
 * @property {{before: Neighbor | null, after: Neighbor | null} | null} neighbors
 * @property {Metric | null} metric  Of the neighbors' values.
 * @property {LayerState | null} state
 * @property {Verdict | null} verdict  Of the finding that names the row.
 * @property {string} unit  What a step is called.
 *
 * @typedef {object} LayerCharts
 * @property {{small: SmallChart, chart: LineProps, at: string, values: ChartValue[]}[]} charts  `at`
 *   says where the values were recorded: "step 9"; "" without any.
 * @property {{column: Column, value: number}[]} constant
 * @property {boolean} all  Whether what never changes is drawn, too.
 * @property {((all: boolean) => void) | null} onAll  null where there is no such choice.
 *
 * @typedef {object} ChartValue  At the selected step, else the last one.
 * @property {Column} column
 * @property {string} color
 * @property {number | null} value
 * @property {{color: string, value: number | null} | null} other  Of the run compared.
 *
 * @typedef {object} LayerHandlers
 * @property {(row: number, step: number | null) => void} openRow
 * @property {(group: string, row: number) => void} openSibling
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 */

/**
 * @param {LayerHead} data
 * @param {LayerHandlers} handlers
 */
export function layerHead(data, handlers) {
  const { row, index, count, siblings, neighbors, metric } = data;
  const go = (
    /** @type {number} */ by,
    /** @type {"previous" | "next"} */ icon,
    /** @type {string} */ label,
  ) =>
    html`<button type="button" class="button square" aria-label=${label} title=${label}
      ?disabled=${index + by < 0 || index + by >= count}
      @click=${() => handlers.openRow(index + by, null)}>${sign(icon)}</button>`;
  return html`<div class="layer-head ${toneOf(data)}">
    <div class="layer-title">
      ${go(-1, "previous", "Previous row, toward the input")}
      ${go(1, "next", "Next row, toward the output")}
      <h3>${name(row.name)}</h3>
      <span class="soft place">${index + 1} of ${count}</span>
      <span class="spring"></span>${exportMenu("layer", "the layer", ["png", "svg", "csv", "json"], handlers)}
    </div>
    <p class="layer-facts soft">${facts(row)}${
      siblings.length
        ? html`<span>same layer: ${siblings.map(
            (one, at) => html`${at ? ", " : nothing}<button type="button" class="link"
              @click=${() => handlers.openSibling(one.group, one.index)}>${inlineName(one.label)}</button>`,
          )}</span>`
        : nothing
    }</p>
    ${data.state ? stateLine(data, data.state) : nothing}
    ${neighbors ? neighborLinks(neighbors, metric, handlers) : nothing}
  </div>`;
}

/**
 * @param {LayerHead} data
 * @returns {Verdict | ""}
 */
function toneOf({ state, verdict }) {
  if (!state?.column) return "";
  return verdict === "critical" || verdict === "warning" ? verdict : "warning";
}

/**
 * The state, said once: above the charts that show it.
 *
 * @param {LayerHead} data
 * @param {LayerState} state
 */
function stateLine(data, state) {
  const { column, side, count, total, value, at, lost } = state;
  const { unit } = data;
  const records = (/** @type {number} */ number) => counted(number, "record");
  const before = lost ? " before NaN" : "";
  if (!column) {
    return html`<p class="layer-state">${verdictIcon("healthy")}<span>Within its limits in ${
      total === 1 ? "its one record" : `all ${records(total)}`
    }${before}.</span></p>`;
  }
  const often =
    count === total
      ? `every one of ${records(total)}`
      : `${formatNumber(count, 9)} of ${records(total)}`;
  const where = side === "outside" ? "outside its limits" : `${side} its limit`;
  const here =
    value === null || at === null || !column.healthy
      ? nothing
      : ` At ${unit} ${formatStep(at)}: ${formatValue(value, column)}, ${limitWords(value, column.healthy, column)}.`;
  const tone = toneOf(data) || "warning";
  return html`<p class="layer-state">${verdictIcon(tone)}<span><strong>${column.title} ${where}</strong>
    in ${often}${before}.${here}</span></p>`;
}

/**
 * The layers before and after, with what the heat map says of them at the selected step.
 *
 * @param {NonNullable<LayerHead["neighbors"]>} neighbors
 * @param {Metric | null} metric
 * @param {LayerHandlers} handlers
 */
function neighborLinks({ before, after }, metric, handlers) {
  const link = (/** @type {Neighbor} */ one) => html`<button type="button" class="link"
      @click=${() => handlers.openRow(one.row, null)}>${inlineName(one.name)}</button>${
        metric ? html` <span class="soft">${told(one, metric)}</span>` : nothing
      }`;
  if (!before && !after) return nothing;
  return html`<p class="siblings" data-testid="neighbors">
    ${before ? html`<span><span class="soft">Before:</span> ${link(before)}</span>` : nothing}
    ${after ? html`<span><span class="soft">After:</span> ${link(after)}</span>` : nothing}
  </p>`;
}

/** @param {Neighbor} neighbor @param {Metric} metric */
function told({ code, value }, metric) {
  const said = [formatValue(value, metric), "no data", "NaN", "infinite"][code];
  return `${metric.symbol} ${said}`;
}

const DATA = new Set(["input", "target", "prediction"]);

/**
 * @param {Row} row
 * @returns {unknown[]}
 */
function facts(row) {
  /** @type {[string, string][]} */
  const all = [
    ["role", row.kind.replaceAll("_", " ")],
    // Histograms say nothing of the shape; an empty one would read as a scalar.
    // Of a feature it is the range of columns that its name says.
    ["shape", row.dtype && !DATA.has(row.kind) ? formatShape(row.shape) : ""],
    ["type", row.dtype],
    ["activation", row.activation],
    ["initializer", row.initializer],
  ];
  return all
    .filter(([, value]) => value !== "")
    .map(
      ([label, value]) =>
        html`<span title=${label}><span class="hidden-label">${label} </span>${visible(value)}</span>`,
    );
}

/**
 * @param {LayerCharts} data
 * @param {unknown} [more] Further figures, behind the charts.
 */
export function layerCharts({ charts, constant, all, onAll }, more = nothing) {
  return html`<div class="small-charts">
      ${repeat(
        charts,
        ({ small }) => small.id,
        ({ small, chart, at, values }) => html`<figure class="small-chart">
          <figcaption>
            <span class="small-title"><strong>${small.title}</strong>${apart(small, values)}</span>
            <span class="small-values">${at ? html`<span class="soft">${at}:</span>` : nothing}${values.map(
              ({ column, color, value, other }) =>
                html`<span class="small-value" title=${column.title}>${swatch(color, chart, column)}${
                  small.columns.length > 1 ? html`${column.symbol} ` : nothing
                }${write(small, value)}${
                  other
                    ? html` ${swatch(other.color, chart, column)}${write(small, other.value)}`
                    : nothing
                }</span>`,
            )}${
              chart.lines.some((line) => line.alpha)
                ? html`<span class="small-value" title="Too dense to read: the line is the mean of the middle half of the records around">recorded (pale)</span>`
                : nothing
            }${
              small.healthy && !isBand(small.healthy)
                ? healthyWords(
                    small.healthy,
                    small.columns[0],
                    small.columns.length > 1 ? `${small.columns[0].symbol}: ` : "",
                    { y: small.columns[0].low, high: small.columns[0].high },
                  )
                : nothing
            }${edgeKey(
              edgeKinds(chart.lines, chart.extent),
              small.columns.some(({ low }) => fallsBelow({ values: low })),
            )}</span>
          </figcaption>
          ${mount(createLineChart, chart)}
        </figure>`,
      )}
    </div>
    <div class="figures">${more}</div>
    ${constants(constant, all, onAll)}`;
}

/**
 * How far the main curve is from its limits at the step its value is of; nothing within them.
 *
 * @param {SmallChart} small
 * @param {ChartValue[]} values
 */
function apart({ healthy, columns }, values) {
  const value = values[0]?.value ?? null;
  if (!healthy || value === null || !Number.isFinite(value)) return nothing;
  const { low, high } = healthy;
  if (value >= (low ?? -Infinity) && value <= (high ?? Infinity)) return nothing;
  return html`<span class="apart">${limitWords(value, healthy, columns[0])}</span>`;
}

/** Whether a range is drawn as a band, with its name in it. @param {SmallChart["healthy"]} healthy */
export function isBand(healthy) {
  return healthy !== null && healthy.low !== null && healthy.high !== null;
}

/** What is 0 in every sound run: said where it is not. */
const SOUND = /_(missing|nan_fraction|inf_fraction|nonfinite_fraction|nonfinite_steps)$/;

/**
 * What a rule objects to, first.
 *
 * @param {LayerCharts["constant"]} all
 * @returns {(LayerCharts["constant"][number] & {bad: boolean})[]}
 */
export function worthSaying(all) {
  return all
    .filter(({ column, value }) => value !== 0 || !SOUND.test(column.name))
    .map(({ column, value }) => {
      const { low, high } = column.healthy ?? { low: null, high: null };
      return { column, value, bad: value < (low ?? -Infinity) || value > (high ?? Infinity) };
    })
    .sort((a, b) => Number(b.bad) - Number(a.bad));
}

/**
 * What never changes, in one line; drawn where that is asked for.
 *
 * @param {LayerCharts["constant"]} constant
 * @param {boolean} all
 * @param {LayerCharts["onAll"]} onAll
 */
function constants(constant, all, onAll) {
  const said = worthSaying(constant);
  if (said.length === 0 && !all) return nothing;
  return html`<p class="constants">${said.length ? html`<strong>Never changed</strong>` : nothing} ${said.map(
    ({ column, value, bad }) =>
      html`<span>${bad ? verdictIcon("warning") : nothing} ${column.title} <b>${formatValue(value, column)}</b>${
        bad && column.healthy ? `, ${healthyRange(column.healthy, column)}` : nothing
      }</span>`,
  )}${
    onAll
      ? html`<button type="button" class="link" @click=${() => onAll(!all)}>${
          all ? "Draw only what changes" : "Draw these too"
        }</button>`
      : nothing
  }</p>`;
}

/**
 * A line's color, and its dashes where lines are told apart by them.
 *
 * @param {string} color
 * @param {LineProps} chart
 * @param {Column} column
 */
function swatch(color, { lines }, { name }) {
  const dash = lines.find((line) => line.id === name)?.dash;
  return dash?.length
    ? key({ color, dash, dots: false })
    : html`<i class="dot" .style=${`background:${color}`}></i>`;
}

/**
 * @param {SmallChart} small
 * @param {number | null} value
 */
function write(small, value) {
  return small.fraction ? formatPercent(value) : formatNumber(value);
}
