/**
 * The depth profile: the heat map's metric from input to output, at one step.
 *
 * @import { LineProps } from "../charts/line.js"
 * @import { Heat, Metric, Row } from "../types.js"
 */
import { html } from "lit-html";
import { createLineChart } from "../charts/line.js";
import { INFINITE, NAN, VALUE } from "../data/decode.js";
import { formatStepRange } from "../format/steps.js";
import { mount } from "./mount.js";

/**
 * @typedef {object} ProfileData
 * @property {LineProps} chart
 * @property {Heat} heat
 * @property {Metric} metric
 * @property {number} cell
 *
 * @typedef {object} ProfileHandlers
 * @property {(step: number) => void} selectStep
 */

/**
 * @param {ProfileData} data
 * @param {ProfileHandlers} handlers
 */
export function profileView({ chart, heat, metric, cell }, handlers) {
  const { first_steps: first, last_steps: last } = heat.header;
  return html`<div class="profile">
    <div class="profile-head">
      <strong>${metric.title} by depth</strong>
      <label class="field grow"><span class="hidden-label">Step</span>
        <input type="range" min="0" max=${heat.cells - 1} step="1" .value=${String(cell)}
          aria-valuetext=${formatStepRange(first[cell], last[cell])}
          @input=${(/** @type {Event} */ event) => {
            const at = Number(/** @type {HTMLInputElement} */ (event.target).value);
            handlers.selectStep(heat.edges[at]);
          }} /></label>
      <output>${formatStepRange(first[cell], last[cell])}</output>
    </div>
    <div class="profile-chart">${mount(createLineChart, chart)}</div>
    <p class="ends"><span>input</span><span>output</span></p>
  </div>`;
}

/** Kinds of rows that make a profile's line; the others (biases, scales) are left to the map. */
const MAIN = new Set(["kernel", "recurrent_kernel", "embedding", "output", "input"]);

/**
 * Rows of the profile, in order of depth.
 *
 * @param {Row[]} rows
 */
export function profileRows(rows) {
  const main = rows.flatMap((row, index) => (MAIN.has(row.kind) ? [index] : []));
  return main.length >= 2 ? main : rows.map((_row, index) => index);
}

/**
 * The metric of `rows` at one cell, as a curve over depth.
 *
 * @param {Heat} heat
 * @param {number[]} rows
 * @param {number} cell
 * @param {boolean} log
 */
export function profileCurve(heat, rows, cell, log) {
  /** @type {(number | null)[]} */
  const y = [];
  /** @type {{x: number, kind: "NaN" | "Infinity" | "nonpositive"}[]} */
  const bad = [];
  rows.forEach((row, x) => {
    const at = row * heat.cells + cell;
    const value = heat.values[at];
    const code = heat.codes[at];
    if (code === NAN) bad.push({ x, kind: "NaN" });
    if (code === INFINITE) bad.push({ x, kind: "Infinity" });
    if (code === VALUE && log && value <= 0) bad.push({ x, kind: "nonpositive" });
    y.push(code === VALUE && !(log && value <= 0) ? value : null);
  });
  return { x: rows.map((_row, index) => index), y, bad };
}
