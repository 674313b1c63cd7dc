/**
 * The heat map's panel: which metric, which rows in which order, the map, and what the pointer is on.
 *
 * @import { Hover } from "../charts/cursor.js"
 * @import { HeatProps, Place } from "../charts/heat.js"
 * @import { WorstRow } from "../model/map.js"
 * @import { Group, Heat, Metric, Order, Row, Verdict, View } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { createHeatMap } from "../charts/heat.js";
import { INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { fullName, spelledOut, words } from "../format/names.js";
import { counted, formatNumber, formatValue, isFraction } from "../format/numbers.js";
import { formatStepRange } from "../format/steps.js";
import { withLater } from "../host/later.js";
import { exportMenu } from "./export_menu.js";
import { fullButton } from "./full_button.js";
import { distance, healthyOfMap, healthyRange, heightOf } from "./healthy.js";
import { hollowIcon, sign, verdictIcon } from "./icon.js";
import { mount } from "./mount.js";
import { createReadout } from "./readout.js";

/**
 * @typedef {object} HeatData
 * @property {Group[]} groups  Those that offer a metric.
 * @property {Group} group
 * @property {Metric} metric
 * @property {View} view
 * @property {HeatProps | null} map  null while it loads.
 * @property {unknown} instead  What to show while there is no map.
 * @property {import("../model/map.js").Codes} codes  Which marks occur.
 * @property {boolean} limited  Whether any row has limits, and so a health.
 * @property {number} recordsInView
 * @property {WorstRow[]} worst
 * @property {Hover} hover
 * @property {boolean} pending  Whether `map` is of the metric before.
 * @property {{run: string, other: string, name: string, note: unknown} | null} beside  While another
 *   run is compared: both colors, its name, and which rows have no partner.
 *
 * @typedef {object} HeatHandlers
 * @property {(change: Partial<View>) => void} setView
 * @property {() => void} redraw
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 * @property {(group: string, metric: string) => void} selectMetric
 * @property {(row: number, step: number | null) => void} openRow
 */

const GROUP_TITLE = new Map([
  ["variables", "Weights"],
  ["activations", "Activations"],
  ["inputs", "Inputs"],
  ["replicas", "Devices"],
]);

/**
 * @param {HeatData} data
 * @param {HeatHandlers} handlers
 */
export function heatPanel(data, handlers) {
  const { map, metric, group, view } = data;
  const shown = map?.order.length ?? group.rows.length;
  return html`<header class="panel-head controls">
      <h2 class="hidden-label">Heat map of layers over steps</h2>
      ${metricChoice(data, handlers)} ${shadeChoice(data, handlers)} ${orderChoice(data, handlers)}
      <div class="map-tools">
      <label class="search">${sign("search")}<span class="hidden-label">Filter rows by name</span>
        <input type="search" placeholder="Filter rows" .value=${view.filter}
          title="All words must occur; | separates alternatives, * matches anything: attn|mlp"
          @input=${(/** @type {InputEvent} */ event) =>
            handlers.setView({
              filter: /** @type {HTMLInputElement} */ (event.target).value,
            })} />
      </label>
      ${fullButton("map", "the heat map", view, handlers)}
      ${exportMenu("map", "the heat map", ["png", "svg", "csv", "json"], handlers)}</div>
    </header>
    ${
      data.beside
        ? withLater(({ besideRow }) => besideRow(data, handlers), handlers.redraw, nothing)
        : nothing
    }
    <div class="heat-frame ${data.pending ? "pending" : ""}">
      <span class="soft in-view">${inView(data, shown)}</span>
      ${map ? mount(createHeatMap, map) : data.instead}
      ${shown === 0 ? html`<p class="hint over">No row matches the filter.</p>` : nothing}
    </div>
    <div class="hidden-label">${mount(createReadout, { idle: idle(data, shown), hover: data.hover })}</div>
    <footer class="heat-foot">
      ${map?.health ? healthKey(map, metric) : nothing} ${marks(data)}
    </footer>
    ${data.beside?.note ?? nothing} ${withLater(({ worstTable }) => worstTable(data, handlers), handlers.redraw, nothing)}`;
}

/**
 * What the colors say. A statistic that no rule judges by its size has no health.
 *
 * @param {HeatData} data
 * @param {HeatHandlers} handlers
 */
function shadeChoice({ view, limited, beside, pending, map }, { setView }) {
  if (beside && view.map === "difference") return nothing;
  const off = !limited && !pending;
  const health = map ? map.health !== null : view.shade !== "value";
  const why = off
    ? "No rule declares limits for this statistic"
    : "Distance from the limits of the rules";
  return html`<fieldset class="segments" data-testid="shade"><legend class="hidden-label">Colors</legend>
    <label title=${why}><input type="radio" name="shade" value="health" .checked=${health} ?disabled=${off}
      @change=${() => setView({ shade: "health" })} /><span>Health</span></label>
    <label title="The values themselves"><input type="radio" name="shade" value="value" .checked=${!health}
      @change=${() => setView({ shade: "value" })} /><span>Value</span></label>
  </fieldset>`;
}

/**
 * How much of what there is the map shows: rows left out by the filter, records out of view.
 *
 * @param {HeatData} data
 * @param {number} shown
 */
function inView({ map, group, recordsInView }, shown) {
  if (!map) return nothing;
  const rows = group.rows.length;
  const part = shown === rows ? "" : `${formatNumber(shown, 9)} of ${counted(rows, "row")} · `;
  const { cells } = map.heat;
  const all = recordsInView === cells;
  const what = cells === group.records ? "record" : "stretch";
  const count = counted(cells, what, what === "stretch" ? "stretches" : undefined);
  return `${part}${all ? count : `${formatNumber(recordsInView, 9)} of ${count} in view`}`;
}

/**
 * The ramp, with what its steps mean.
 *
 * @param {HeatProps} map
 * @param {Metric} metric
 */
function healthKey({ health }, metric) {
  const bands = health?.bands.filter((band) => band !== null) ?? [];
  const has = (/** @type {"low" | "high"} */ end) =>
    bands.some((band) => band[end] !== null && !(end === "low" && band.low === 0));
  const one = new Set(bands.map(({ low, high }) => `${low} ${high}`)).size === 1;
  const fraction = isFraction(metric);
  // Each color is named by where it ends: the limit itself is its beginning.
  const ends = fraction ? ["≤¼", "≤½", "≤¾", "more"] : ["≤2×", "≤10×", "≤100×", "more"];
  const how = (/** @type {string} */ side) =>
    fraction
      ? `${side} its limit, of the way to ${side === "above" ? "100%" : "0"}`
      : `${side} its limit`;
  const ramp = (/** @type {"above" | "below"} */ side) => {
    const levels = side === "above" ? [1, 2, 3, 4] : [4, 3, 2, 1];
    const marks = side === "above" ? ends : [...ends].reverse();
    return html`<span class="ramp ${side}"><span class="ramp-cells">${levels.map(
      (level) => html`<i class="cell ${side}-${level}"></i>`,
    )}</span><span class="ramp-marks">${marks.map((mark) => html`<span>${mark}</span>`)}</span><span class="ramp-how">${how(side)}</span></span>`;
  };
  const name = one ? healthyRange(bands[0], metric) : "within its limits";
  return html`<div class="health-key" role="group" aria-label="Colors: distance from the limits">
    ${has("low") ? ramp("below") : nothing}
    <span class="ramp middle"><i class="cell healthy"></i><span class="ramp-name">${name}</span></span>
    ${has("high") ? ramp("above") : nothing}
  </div>`;
}

/**
 * @param {HeatData} data
 * @param {HeatHandlers} handlers
 */
function orderChoice({ view, limited }, handlers) {
  return html`<label class="field"><span class="hidden-label">Order of the rows</span>
    <select @change=${(/** @type {Event} */ event) =>
      handlers.setView({
        order: /** @type {Order} */ (/** @type {HTMLSelectElement} */ (event.target).value),
      })}>
      ${ORDERS.filter(([value]) => value !== "crossing" || limited || view.order === value).map(
        ([value, label]) =>
          html`<option value=${value} .selected=${view.order === value}>${label}</option>`,
      )}
    </select>
  </label>`;
}

const ORDERS = /** @type {const} */ ([
  ["depth", "By depth"],
  ["name", "By name"],
  ["worst", "Worst first"],
  ["crossing", "First outside limits"],
]);

/**
 * Which table, then which of its statistics; on a narrow page one list of all.
 *
 * @param {HeatData} data
 * @param {HeatHandlers} handlers
 */
function metricChoice({ groups, group, metric }, handlers) {
  return html`<div class="metric-choice">
      ${
        groups.length > 1
          ? html`<fieldset class="segments"><legend class="hidden-label">Statistics of</legend>
              ${groups.map(
                (one) => html`<label><input type="radio" name="group" value=${one.group}
                  .checked=${one === group}
                  @change=${() => handlers.selectMetric(one.group, one.metrics[0].name)} /><span>${title(one)}</span></label>`,
              )}
            </fieldset>`
          : nothing
      }
      <label class="field"><span class="hidden-label">Statistic</span>
        <select name="metric" title=${metric.summary} @change=${(/** @type {Event} */ event) => {
          const { value } = /** @type {HTMLSelectElement} */ (event.target);
          handlers.selectMetric(group.group, value.slice(group.group.length + 1));
        }}>
          ${group.metrics.map(
            (one) => html`<option value="${group.group} ${one.name}" title=${one.summary}
              .selected=${one.name === metric.name}>${one.title}</option>`,
          )}
        </select>
      </label>
    </div>
    <label class="field metric-select"><span class="hidden-label">Statistic</span>
      <select @change=${(/** @type {Event} */ event) => {
        const { value } = /** @type {HTMLSelectElement} */ (event.target);
        const [chosenGroup, chosen] = value.split(" ");
        handlers.selectMetric(chosenGroup, chosen);
      }}>
        ${groups.map(
          (one) => html`<optgroup label=${title(one)}>
            ${one.metrics.map(
              (each) => html`<option value="${one.group} ${each.name}"
                .selected=${one === group && each.name === metric.name}>${each.title}</option>`,
            )}
          </optgroup>`,
        )}
      </select>
    </label>`;
}

/** @param {Group} group */
function title({ group }) {
  return GROUP_TITLE.get(group) ?? words(group);
}

/**
 * @param {HeatData} data
 * @param {number} shown
 */
function idle({ group, map }, shown) {
  const rows = group.rows.length;
  const part =
    shown === rows ? counted(rows, "row") : `${formatNumber(shown, 9)} of ${counted(rows, "row")}`;
  const kept =
    group.total === null
      ? counted(group.records, "record")
      : `${formatNumber(group.records, 9)} of ${counted(group.total, "record")} (sampled)`;
  const bound = group.exact ? "" : " · midpoint of the interval";
  if (map?.range.difference)
    return `${part}, only those in both runs · largest difference per cell`;
  return map ? `${part} · ${kept} · worst value per cell${bound}` : "";
}

/**
 * What one cell says, in words.
 *
 * @param {Heat} heat
 * @param {Row[]} rows
 * @param {Metric} metric
 * @param {Place} place
 */
export function readout(heat, rows, metric, { row, cell }) {
  const { first_steps: first, last_steps: last } = heat.header;
  const at = row * heat.cells + cell;
  const value = heat.values[at];
  const finite = Number.isNaN(value) ? "" : `, finite part ${formatValue(value, metric)}`;
  const said = new Map([
    [VALUE, `${metric.title} = ${formatValue(value, metric)}`],
    [NO_DATA, "no data"],
    [NAN, `NaN${finite}`],
    [INFINITE, `infinite${finite}`],
  ]).get(heat.codes[at]);
  return `${fullName(spelledOut(rows[row].name))} · ${formatStepRange(first[cell], last[cell])} · ${said}`;
}

/**
 * The key: marks beside the rows, in the cells and on the color scale, as far as they occur.
 *
 * @param {HeatData} data
 */
function marks({ codes: { nan, infinite, none, free }, map, metric }) {
  const { own, other } = marked(map);
  const zeros = map?.range.log === true && map.range.zeros && !map.health;
  const healthy = map && !map.health && healthyKey(map, metric);
  const crossed = map?.health?.first.some((cell) => cell >= 0);
  return html`<ul class="marks" aria-label="Marks in the map">
    ${own ? html`<li data-mark="own">${verdictIcon(own)}selected finding</li>` : nothing}
    ${other ? html`<li data-mark="other">${hollowIcon(other)}explained or another finding</li>` : nothing}
    ${healthy ? html`<li data-mark="healthy">${healthy}</li>` : nothing}
    ${nan ? html`<li><i class="swatch nan"></i>NaN</li>` : nothing}
    ${infinite ? html`<li><i class="swatch infinite"></i>infinite</li>` : nothing}
    ${zeros ? html`<li><i class="swatch zero"></i>exactly 0</li>` : nothing}
    ${none ? html`<li><i class="swatch none"></i>no data</li>` : nothing}
    ${free ? html`<li><i class="swatch free"></i>no limit applies</li>` : nothing}
    ${crossed ? html`<li><i class="crossing"></i>first crossing</li>` : nothing}
  </ul>`;
}

/**
 * @param {HeatProps} map
 * @param {Metric} metric
 * @returns {unknown} null without a healthy range, or where its only end is off the color scale and
 *   some values are beyond it all the same: then nothing is drawn that a key could name.
 */
function healthyKey({ heat, range }, metric) {
  const { healthy } = metric;
  if (range.difference || !healthy) return null;
  const height = heightOf(heat);
  const { low, high } = healthy;
  const off = low === null && high !== null && high > range.high;
  if (off && height && distance(height, high) === "") return null;
  return healthyOfMap(metric, heat);
}

/**
 * Severities of the first row that the selected finding names, and of the first that another does.
 *
 * @param {Pick<HeatProps, "order" | "marks"> | null} map
 * @returns {{own: Verdict | null, other: Verdict | null}}
 */
export function marked(map) {
  const found = (map?.order ?? []).flatMap((row) => map?.marks.get(row) ?? []);
  return {
    own: found.find((mark) => mark.own)?.verdict ?? null,
    other: found.find((mark) => !mark.own)?.verdict ?? null,
  };
}
