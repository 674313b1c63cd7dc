/**
 * "What changed just before": five small curves around the onset of a finding, one below the other on
 * one axis, each with its change in words.
 *
 * @import { Before, Change } from "../data/before.js"
 * @import { State } from "../state/state.js"
 * @import { Finding } from "../types.js"
 */
import { html, nothing, svg } from "lit-html";
import { changesBefore } from "../data/before.js";
import { formatNumber, formatTimes } from "../format/numbers.js";
import { isOver } from "../format/severity.js";
import { formatStep, formatStepShort, stepNumber } from "../format/steps.js";
import { inlineName } from "./name.js";

const WIDTH = 108;
const HEIGHT = 28;
const MARGIN = 3;

/**
 * Of a finding that needs action; a notice on a run as a whole has no moment before it.
 *
 * @param {State["slots"]} slots
 * @param {Finding} finding
 * @param {string} unit  What a step is called.
 */
export function beforeFinding({ series, layers, moment }, finding, unit) {
  if (finding.severity === "info" || isOver(finding) || !series.data || unit !== "step") {
    return nothing;
  }
  const maps = moment.data ?? { ratio: null, scale: null };
  const groups = layers.data?.groups ?? [];
  const onset = stepNumber(finding.first_step);
  const before = changesBefore(series.data.series, maps, groups, onset, finding.layers);
  return beforeSection(before, unit);
}

/**
 * @param {Before | null} before  null while it is not known.
 * @param {string} unit
 */
export function beforeSection(before, unit) {
  if (!before) return nothing;
  const { previous, onset, changes } = before;
  if (changes.length === 0) return nothing;
  if (previous === null) {
    return html`<section class="before" data-testid="before"><h4>What changed just before</h4>
      <p class="before-none">Nothing: the problem has existed since ${unit} ${formatStep(onset)}. Its cause is in
        the model, the data, or the settings, not in an event during training.</p></section>`;
  }
  return html`<section class="before" data-testid="before">
    <h4>What changed just before <span class="soft">${unit} ${formatStep(previous)} → ${formatStep(onset)}, largest first</span></h4>
    <table class="before-table">
      <thead class="hidden-label"><tr><th scope="col">Curve</th><th scope="col">Around ${unit} ${formatStep(onset)}</th><th scope="col">Change</th></tr></thead>
      <tbody>${changes.map((change) => row(change, before, unit))}</tbody>
      <tfoot aria-hidden="true"><tr><td></td><td><span class="before-axis"><span>${formatStepShort(before.span[0])}</span
        ><b .style=${`left:${(place(onset, before) / WIDTH) * 100}%`}>${unit} ${formatStepShort(onset)}</b
        ><span>${formatStepShort(before.span[1])}</span></span></td><td></td></tr></tfoot>
    </table>
  </section>`;
}

/** @param {number} step @param {Before} before */
function place(step, { span: [low, high] }) {
  return MARGIN + ((step - low) / (high - low)) * (WIDTH - 2 * MARGIN);
}

/**
 * @param {Change} change
 * @param {Before} before
 * @param {string} unit
 */
function row(change, before, unit) {
  const { head, detail } = changeWords(change, before, unit);
  return html`<tr data-id=${change.id}>
    <th scope="row">${change.label}${change.layer && change.layer !== "input" ? html`, ${inlineName(change.layer)}` : nothing}</th>
    <td>${sparkline(change, before)}</td>
    <td><b>${head}</b><span class="soft">${detail}</span></td>
  </tr>`;
}

/**
 * A change in words: how many times, from what to what, and when that was, where it was not the step
 * into the onset.
 *
 * @param {Pick<Change, "move" | "values" | "steps" | "index">} change
 * @param {Pick<Before, "onset" | "previous">} before
 * @param {string} unit
 * @returns {{head: string, detail: string}}
 */
export function changeWords({ move, values, steps, index }, { onset, previous }, unit) {
  if (!move) {
    const known = values.filter((value) => value !== null);
    const value = values[index] ?? known[known.length - 1] ?? null;
    return { head: "constant", detail: formatNumber(value) };
  }
  const { before, after, orders, from, to } = move;
  const fromTo = `${formatNumber(before)} → ${formatNumber(after)}`;
  const here = steps[to] === onset && (previous === null || steps[from] === previous);
  const when = here ? "" : ` at ${unit}s ${formatStep(steps[from])}–${formatStep(steps[to])}`;
  if (!Number.isFinite(after)) {
    return { head: `becomes ${Number.isNaN(after) ? "NaN" : "infinite"}`, detail: fromTo + when };
  }
  const counted = before !== 0 && after !== 0 && before < 0 === after < 0;
  const times = orders < 0 ? `÷${formatTimes(orders)}` : `×${formatTimes(orders)}`;
  const head = counted ? times : after > before ? "rises" : "falls";
  return { head, detail: fromTo + when };
}

/**
 * @param {Change} change
 * @param {Before} before
 */
function sparkline(change, before) {
  const { steps, values, low, high, limits, index } = change;
  const all = [values, low ?? [], high ?? []].flat().filter((value) => value !== null);
  if (all.length === 0) return nothing;
  const log = all.every((value) => value > 0) && Math.max(...all) > 8 * Math.min(...all);
  const scaled = (/** @type {number} */ value) => (log ? Math.log(value) : value);
  const shown = limits ? near(limits, all) : [];
  const ends = [...all, ...shown].map(scaled);
  const [bottom, top] = [Math.min(...ends), Math.max(...ends)];
  // What hardly moves looks so.
  const least = log ? 0.2 : 0.05 * Math.max(Math.abs(bottom), Math.abs(top));
  const span = Math.max(top - bottom, least) || 1;
  const middle = (top + bottom) / 2;
  const y = (/** @type {number} */ value) =>
    HEIGHT / 2 - ((scaled(value) - middle) / span) * (HEIGHT - 2 * MARGIN - 2);
  const x = steps.map((step) => place(step, before));
  const onset = place(before.onset, before);
  const here = values[index];
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" width=${WIDTH} height=${HEIGHT} aria-hidden="true">
    ${limits ? band(limits, y) : nothing}
    ${low && high ? svg`<path class="spark-range" d=${area(x, low, high, y)}></path>` : nothing}
    <line class="spark-onset" x1=${onset} x2=${onset} y1="0" y2=${HEIGHT}></line>
    <path class="spark-line" d=${path(x, values, y)}></path>
    ${here === null || here === undefined ? nothing : svg`<circle class="spark-point" cx=${x[index]} cy=${y(here)} r="2.5"></circle>`}
  </svg>`;
}

/**
 * The limits that are near enough to be drawn on the scale of the values.
 *
 * @param {import("../types.js").Band} limits
 * @param {number[]} values
 */
function near({ low, high }, values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const found = [];
  if (high !== null && high < 30 * most) found.push(high);
  if (low !== null && low > least / 30) found.push(low);
  return found;
}

/**
 * @param {import("../types.js").Band} limits
 * @param {(value: number) => number} y
 */
function band({ low, high }, y) {
  const bottom = low === null || low <= 0 ? HEIGHT : Math.min(HEIGHT, Math.max(0, y(low)));
  const top = high === null ? 0 : Math.min(HEIGHT, Math.max(0, y(high)));
  if (!(bottom > top)) return nothing;
  return svg`<rect class="spark-band" x="0" width=${WIDTH} y=${top} height=${bottom - top}></rect>`;
}

/**
 * @param {number[]} x
 * @param {(number | null)[]} values
 * @param {(value: number) => number} y
 */
function path(x, values, y) {
  let on = false;
  return values
    .map((value, at) => {
      if (value === null) {
        on = false;
        return "";
      }
      const command = on ? "L" : "M";
      on = true;
      return `${command}${x[at].toFixed(1)} ${y(value).toFixed(1)}`;
    })
    .join("");
}

/**
 * @param {number[]} x
 * @param {(number | null)[]} low
 * @param {(number | null)[]} high
 * @param {(value: number) => number} y
 */
function area(x, low, high, y) {
  const known = x.flatMap((_, at) => (low[at] !== null && high[at] !== null ? [at] : []));
  if (known.length < 2) return "";
  const point = (/** @type {number} */ at, /** @type {(number | null)[]} */ of) =>
    `${x[at].toFixed(1)} ${y(Number(of[at])).toFixed(1)}`;
  const back = [...known].reverse();
  return `M${known.map((at) => point(at, high)).join("L")}L${back.map((at) => point(at, low)).join("L")}Z`;
}
