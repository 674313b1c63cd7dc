/**
 * What is drawn on a line chart beside the lines.
 *
 * @import { Line } from "./line.js"
 * @import { Frame } from "./line_scales.js"
 * @import { Palette } from "./palette.js"
 * @import { Plot } from "./places.js"
 * @import { Healthy } from "../types.js"
 */

/** @typedef {Line["bad"][number]["kind"]} EdgeKind */

/** @type {EdgeKind[]} */
const EDGE_KINDS = ["NaN", "Infinity", "-Infinity", "nonpositive"];

/**
 * Which marks stand on the edge of a chart.
 *
 * @param {Line[]} lines
 * @param {[number, number]} extent  What is in view.
 */
export function edgeKinds(lines, [from, to]) {
  const found = new Set();
  for (const { bad } of lines) {
    for (const { x, kind } of bad) if (x >= from && x <= to) found.add(kind);
  }
  return EDGE_KINDS.filter((kind) => found.has(kind));
}

/** Marks closer than this, in CSS pixels, are drawn as one. */
const SPACING = 7;
const SIZE = 3.5;

/**
 * Points that have no place on the scale, on the edge they left it by: a cross for NaN, a triangle
 * up for +infinity, down for -infinity, hollow for what a logarithm cannot show.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Line} line
 * @param {Palette} palette
 */
export function drawEdgeMarks(context, { plot, toX }, line, palette) {
  context.strokeStyle = palette.nonfinite;
  context.fillStyle = palette.nonfinite;
  context.lineWidth = STROKE;
  const edge = SIZE + 1.5;
  /** @type {Map<string, number>} */
  const drawn = new Map();
  for (const { x, kind } of line.bad) {
    const left = toX(x);
    if (left < plot.left - 1 || left > plot.left + plot.width + 1) continue;
    const before = drawn.get(kind);
    if (before !== undefined && left - before < SPACING) continue;
    drawn.set(kind, left);
    const low = kind === "-Infinity" || kind === "nonpositive";
    drawMark(context, kind, left, low ? plot.top + plot.height - edge : plot.top + edge);
  }
}

/** Outlines around (0, 0), from -1 to 1, for Path2D and for SVG. */
export const EDGE_PATHS = {
  NaN: "M-1-1 1 1M1-1-1 1",
  Infinity: "M0-1 1 1H-1z",
  "-Infinity": "M0 1 1-1H-1z",
  nonpositive: "M0 1 1-1H-1z",
};
/** Of a mark's lines, where its arms are 1. */
export const STROKE = 1.5 / SIZE;

/** @param {EdgeKind} kind */
export function isFilled(kind) {
  return kind.endsWith("Infinity");
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {EdgeKind} kind
 * @param {number} x
 * @param {number} y
 */
function drawMark(context, kind, x, y) {
  const path = new Path2D(EDGE_PATHS[kind]);
  context.save();
  context.translate(x, y);
  context.scale(SIZE, SIZE);
  if (isFilled(kind)) context.fill(path);
  else context.stroke(path);
  context.restore();
}

/**
 * The healthy range as a band behind the lines; where only one end is known, that end as a line:
 * nothing says that all on this side of it is well.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {Healthy} healthy
 * @param {(value: number) => number} y
 * @param {Palette} palette
 */
export function paintHealthy(context, plot, { low, high }, y, palette) {
  const end = plot.top + plot.height;
  context.save();
  if (low === null || high === null) {
    const at = y(low ?? high ?? 0);
    if (at > plot.top && at < end) {
      context.strokeStyle = palette.verdict.warning;
      context.setLineDash([4, 3]);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(plot.left, at);
      context.lineTo(plot.left + plot.width, at);
      context.stroke();
    }
  } else {
    const [top, bottom] = [Math.max(plot.top, y(high)), Math.min(end, y(low))];
    context.fillStyle = palette.healthyBand;
    if (bottom > top) context.fillRect(plot.left, top, plot.width, bottom - top);
  }
  context.restore();
}

/**
 * A vertical line over the whole height.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {number} x
 * @param {string} color
 */
export function drawLine(context, { plot, toX }, x, color) {
  const left = Math.round(toX(x));
  if (left < plot.left || left > plot.left + plot.width) return;
  context.globalAlpha = 0.55;
  context.fillStyle = color;
  context.fillRect(left, plot.top, 1, plot.height);
  context.globalAlpha = 1;
}
