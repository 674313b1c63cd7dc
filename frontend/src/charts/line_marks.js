/**
 * What is drawn on a line chart beside the lines.
 *
 * @import uPlot from "uplot"
 * @import { Line } from "./line.js"
 * @import { Palette } from "./palette.js"
 */

/** Marks closer than this, in CSS pixels, are drawn as one. */
const SPACING = 7;
const SIZE = 3.5;

/**
 * Points that have no place on the scale, on the edge they left it by: a cross for NaN, a triangle
 * up for +infinity, down for -infinity, hollow for what a logarithm cannot show.
 *
 * @param {uPlot} plot
 * @param {Line} line
 * @param {Palette} palette
 */
export function drawEdgeMarks(plot, line, palette) {
  if (line.bad.length === 0) return;
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = palette.nonfinite;
  ctx.fillStyle = palette.nonfinite;
  ctx.lineWidth = 1.5 * ratio;
  /** @type {Map<string, number>} */
  const drawn = new Map();
  for (const { x, kind } of line.bad) {
    const left = plot.valToPos(x, "x", true);
    if (left < bbox.left - 1 || left > bbox.left + bbox.width + 1) continue;
    const before = drawn.get(kind);
    if (before !== undefined && left - before < SPACING * ratio) continue;
    drawn.set(kind, left);
    const low = kind === "-Infinity" || kind === "nonpositive";
    const edge = (SIZE + 1.5) * ratio;
    const top = low ? bbox.top + bbox.height - edge : bbox.top + edge;
    drawMark(ctx, kind, left, top, SIZE * ratio);
  }
  ctx.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Line["bad"][number]["kind"]} kind
 * @param {number} x
 * @param {number} y
 * @param {number} size
 */
function drawMark(context, kind, x, y, size) {
  context.beginPath();
  if (kind === "NaN") {
    context.moveTo(x - size, y - size);
    context.lineTo(x + size, y + size);
    context.moveTo(x + size, y - size);
    context.lineTo(x - size, y + size);
    context.stroke();
    return;
  }
  const up = kind === "Infinity" ? -1 : 1;
  context.moveTo(x, y + up * size);
  context.lineTo(x + size, y - up * size);
  context.lineTo(x - size, y - up * size);
  context.closePath();
  if (kind === "nonpositive") context.stroke();
  else context.fill();
}

/**
 * The range in which a statistic is usually healthy, as a band behind the lines.
 *
 * @param {uPlot} plot
 * @param {[number, number]} range
 * @param {Palette} palette
 */
export function drawHealthy(plot, [low, high], palette) {
  const { ctx, bbox } = plot;
  const bottom = Math.min(bbox.top + bbox.height, plot.valToPos(low, "y", true));
  const top = Math.max(bbox.top, plot.valToPos(high, "y", true));
  if (!(bottom > top)) return;
  ctx.save();
  ctx.fillStyle = palette.healthyBand;
  ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
  ctx.restore();
}

/**
 * A vertical line over the whole height.
 *
 * @param {uPlot} plot
 * @param {number} x
 * @param {string} color
 */
export function drawLine(plot, x, color) {
  const { ctx, bbox } = plot;
  const left = Math.round(plot.valToPos(x, "x", true));
  if (left < bbox.left || left > bbox.left + bbox.width) return;
  ctx.save();
  ctx.strokeStyle = color;
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(left + 0.5, bbox.top);
  ctx.lineTo(left + 0.5, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
