/**
 * What is drawn on a line chart beside the lines.
 *
 * @import { Line } from "./line.js"
 * @import { Frame } from "./line_scales.js"
 * @import { Palette } from "./palette.js"
 * @import { Plot } from "./ticks.js"
 * @import { Healthy } from "../types.js"
 */

import { shape } from "./drawings.js";

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

/**
 * A line without the marks that a stretch stands for.
 *
 * @param {Line} line
 * @param {import("./line.js").Span[]} spans
 */
export function outside(line, spans) {
  const own = spans.filter((span) => span.line === line.id);
  if (own.length === 0) return line;
  const bad = line.bad.filter(({ x }) => !own.some(({ from, to }) => x >= from && x <= to));
  return { ...line, bad };
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
  const path = shape(EDGE_PATHS[kind]);
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
 * @param {string} [label]  Written into the band, where it is tall enough.
 */
export function paintHealthy(context, plot, { low, high }, y, palette, label = "") {
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
    context.fillStyle = palette.healthyEdge;
    for (const edge of [y(high), y(low)]) {
      if (edge >= plot.top && edge <= end)
        context.fillRect(plot.left, Math.round(edge), plot.width, 1);
    }
    if (label && bottom - top > 16) {
      context.font = `11px ${palette.font}`;
      context.textAlign = "left";
      context.textBaseline = "top";
      context.fillStyle = palette.verdict.healthy;
      context.fillText(label, plot.left + 6, top + 4, plot.width - 12);
    }
  }
  context.restore();
}

/** Of the stripes behind a stretch that is not finite: how far apart, in CSS pixels. */
const STRIPES = 8;

/**
 * A stretch in which nothing is finite: stripes behind the curves.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {import("./line.js").Span} span
 * @param {Palette} palette
 */
export function paintSpan(context, { plot, toX }, { from, to }, palette) {
  const [left, right] = spanEnds(plot, toX, from, to);
  if (!(right > left)) return;
  const end = plot.top + plot.height;
  context.save();
  context.beginPath();
  context.rect(left, plot.top, right - left, plot.height);
  context.clip();
  context.fillStyle = palette.nanGround;
  context.fillRect(left, plot.top, right - left, plot.height);
  context.strokeStyle = palette.nonfinite;
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = left - plot.height; x < right; x += STRIPES) {
    context.moveTo(x, end);
    context.lineTo(x + plot.height, plot.top);
  }
  context.stroke();
  context.globalAlpha = 1;
  context.fillStyle = palette.nonfinite;
  context.fillRect(left, plot.top, 1, plot.height);
  context.restore();
}

/**
 * What the stretch is, on a plate: over the stripes it would be hard to read.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {import("./line.js").Span} span
 * @param {Palette} palette
 */
export function writeSpan(context, { plot, toX }, { from, to, label }, palette) {
  const [left, right] = spanEnds(plot, toX, from, to);
  context.font = `500 12px ${palette.font}`;
  const width = context.measureText(label).width;
  // Where the stretch begins before the view, its first step is not in the picture: it is said.
  if (!(right - left > width + 12)) return;
  const middle = plot.top + plot.height * 0.42;
  context.fillStyle = palette.nanGround;
  context.fillRect((left + right - width) / 2 - 6, middle - 10, width + 12, 20);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = palette.nonfinite;
  context.fillText(label, (left + right) / 2, middle);
}

/**
 * @param {Plot} plot
 * @param {Frame["toX"]} toX
 * @param {number} from
 * @param {number} to
 */
function spanEnds(plot, toX, from, to) {
  const end = plot.left + plot.width;
  const right = to === Infinity ? end : Math.min(end, toX(to));
  return [Math.max(plot.left, Math.round(toX(from))), right];
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
