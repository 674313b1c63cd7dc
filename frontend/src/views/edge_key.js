/**
 * The key of the marks on a chart's edge: what they stand for, where they occur.
 *
 * @import { EdgeKind } from "../charts/line_marks.js"
 */
import { html, svg } from "lit-html";
import { EDGE_PATHS, isFilled, STROKE } from "../charts/line_marks.js";

const WORDS = { NaN: "NaN", Infinity: "infinite", "-Infinity": "minus infinite" };

/**
 * @param {EdgeKind[]} kinds
 * @param {boolean} negative  Whether what a logarithm cannot show may be less than 0.
 * @returns {unknown[]} One item for each.
 */
export function edgeKey(kinds, negative) {
  return kinds.map(
    (kind) =>
      html`<span class="edge-key" data-kind=${kind} title=${WHERE[kind]}>${shape(kind)}${edgeWord(kind, negative)}</span>`,
  );
}

/**
 * @param {EdgeKind} kind
 * @param {boolean} negative
 */
export function edgeWord(kind, negative) {
  return kind === "nonpositive" ? (negative ? "0 or less" : "exactly 0") : WORDS[kind];
}

const ABOVE = "Marked on the upper edge";
const BELOW = "Marked on the lower edge";
const WHERE = {
  NaN: ABOVE,
  Infinity: ABOVE,
  "-Infinity": BELOW,
  nonpositive: `${BELOW}: a logarithmic scale cannot show it`,
};

/** @param {EdgeKind} kind */
function shape(kind) {
  return svg`<svg class="edge-mark" viewBox="-1.4 -1.4 2.8 2.8" width="10" height="10" aria-hidden="true"
    ><path d=${EDGE_PATHS[kind]} fill=${isFilled(kind) ? "currentColor" : "none"} stroke="currentColor" stroke-width=${STROKE}></path></svg>`;
}
