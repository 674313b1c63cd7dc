/**
 * The gradient check: norms from input to output, with and without batch normalization, and how far
 * the gradients are from finite differences.
 *
 * @import { GradientCheck, LayerGradient } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { middleEllipsis, visible } from "../format/names.js";
import { counted, formatNumber, formatPercent } from "../format/numbers.js";
import { finite } from "./words.js";

/** Rows that are shown at once. */
const FIRST = 12;

/** @param {GradientCheck} data */
export function gradients(data) {
  const norms = finite(
    data.layers.flatMap(({ norm, norm_without: without }) => [
      norm,
      data.batch_norm ? without : null,
    ]),
  ).filter((norm) => norm > 0);
  const scale = {
    low: norms.reduce((a, b) => Math.min(a, b), norms[0] ?? 1),
    high: norms.reduce((a, b) => Math.max(a, b), norms[0] ?? 1),
  };
  const more = data.layers.slice(FIRST);
  const head = html`<thead><tr><th scope="col">Variable, from input to output</th>
    <th scope="col" class="axis-head"><span>${formatNumber(scale.low, 2)}</span><span>gradient norm</span><span>${formatNumber(scale.high, 2)}</span></th>
    <th scope="col">Norm</th>${data.batch_norm ? html`<th scope="col">Without batch norm</th>` : nothing}
    <th scope="col">Error</th></tr></thead>`;
  const body = (/** @type {LayerGradient[]} */ layers) =>
    html`<tbody>${layers.map((layer) => row(layer, data, scale))}</tbody>`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of gradients">
      <table class="gradients" data-testid="gradients">${head}${body(data.layers.slice(0, FIRST))}</table></div>
    ${
      more.length
        ? html`<details class="fold"><summary>${counted(more.length, "more variable")}</summary>
          <div class="wide" tabindex="0" role="region" aria-label="Table of the other gradients"><table class="gradients">${head}${body(more)}</table></div></details>`
        : nothing
    }
    <p class="note">Error: the largest relative difference from finite differences on a few weights;
      “–” means that it could not be measured.${data.batch_norm ? " Filled: with batch normalization. Hollow: without." : ""}</p>`;
}

/**
 * @param {LayerGradient} layer
 * @param {GradientCheck} data
 * @param {{low: number, high: number}} scale
 */
function row({ name, norm, norm_without: without, error }, data, { low, high }) {
  const at = (/** @type {number} */ value) =>
    high > low ? (Math.log(value / low) / Math.log(high / low)) * 100 : 50;
  const dot = (/** @type {number | null} */ value, /** @type {string} */ how) =>
    value === null || value <= 0
      ? nothing
      : html`<i class=${how} .style=${`left:${at(value)}%`}></i>`;
  const wrong = error !== null && data.tolerance !== null && error > data.tolerance;
  return html`<tr>
    <th scope="row" title=${visible(name)}>${middleEllipsis(visible(name), 48)}</th>
    <td class="plot"><span class="track" aria-hidden="true">${data.batch_norm ? dot(without, "hollow") : nothing}${dot(norm, "mean")}</span></td>
    <td class="number">${formatNumber(norm)}</td>
    ${data.batch_norm ? html`<td class="number">${formatNumber(without)}</td>` : nothing}
    <td class="number ${wrong ? "wrong" : ""}">${formatPercent(error)}${wrong ? " wrong" : ""}</td>
  </tr>`;
}
