/**
 * The key of the marks on a chart's edge: what they stand for, where they occur.
 *
 * @import { EdgeKind } from "../charts/line_marks.js"
 */
import { html, svg } from "lit-html";

/** As charts/line_marks.js draws them, in a box of 10 x 10. */
const SHAPES = {
  NaN: "M1.5 1.5l7 7m0-7-7 7",
  Infinity: "M5 1.5l3.5 7h-7z",
  "-Infinity": "M5 8.5l3.5-7h-7z",
  nonpositive: "M5 8.5l3.5-7h-7z",
};
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
  nonpositive: `${BELOW}: a logarithmic scale has no place for it`,
};

/** @param {EdgeKind} kind */
function shape(kind) {
  const fill = kind === "Infinity" || kind === "-Infinity" ? "currentColor" : "none";
  return svg`<svg class="edge-mark" viewBox="0 0 10 10" width="10" height="10" aria-hidden="true"
    ><path d=${SHAPES[kind]} fill=${fill} stroke="currentColor" stroke-width="1.5"></path></svg>`;
}
