/**
 * Draws a line chart's axes and curves on a canvas: intervals as bands, points where a line alone
 * would not show them, gaps where nothing is known.
 *
 * @import { Line, LineProps } from "./line.js"
 * @import { Frame } from "./line_scales.js"
 */
import { edgeKinds } from "./line_marks.js";
import { xTicks, yTicks } from "./line_scales.js";
import { linearTicks } from "./ranges.js";
import { drawSteps, drawTicks } from "./ticks.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {LineProps} props
 */
export function drawAxes(context, frame, props) {
  const { plot, right } = frame;
  const { palette, extent, kind, formatX, formatY, formatRight } = props;
  if (!frame.known) sayNothingFinite(context, frame, props);
  drawTicks(context, plot, yTicks(props, frame), frame.toY, formatY, palette);
  const ticks = xTicks(kind, extent[0], extent[1], plot.width);
  const write = props.bare ? () => "" : formatX;
  drawSteps(context, plot, ticks, frame.toX, write, palette);
  if (!right) return;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = palette.soft;
  const writeRight = formatRight ?? formatY;
  for (const tick of linearTicks(right[0], right[1], 4)) {
    context.fillText(writeRight(tick), plot.left + plot.width + 5, frame.toY(tick, "right"));
  }
}

/**
 * In words why there is no scale: only marks on the edge are in view.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {LineProps} props
 */
function sayNothingFinite(context, { plot }, { lines, extent, log, palette }) {
  const kinds = edgeKinds(lines, extent);
  if (kinds.length === 0) return;
  context.font = `12px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = palette.soft;
  const said = log && kinds.includes("nonpositive") ? "No finite value above 0" : "No finite value";
  context.fillText(said, plot.left + plot.width / 2, plot.top + plot.height / 2);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {LineProps} props
 */
export function drawLines(context, frame, { lines, palette }) {
  const { plot } = frame;
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top - 6, plot.width, plot.height + 6);
  context.clip();
  for (const line of lines) {
    context.globalAlpha = line.alpha ?? 1;
    context.strokeStyle = line.color;
    context.lineWidth = line.high ? 1 : (line.width ?? 1.5);
    context.lineJoin = "round";
    context.setLineDash(line.dash ?? []);
    if (line.high) fillBetween(context, frame, line, line.high);
    for (const values of line.high ? [line.y, line.high] : [line.y]) {
      context.beginPath();
      trace(context, frame, line, values);
      context.stroke();
    }
  }
  context.restore();
  for (const line of lines) drawPoints(context, frame, line, palette.card);
}

/**
 * The path through `values`. Where points are denser than pixels, each column keeps its smallest,
 * largest and last: the picture is the same.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Line} line
 * @param {(number | null)[]} values
 */
function trace(context, { plot, toX, toY }, line, values) {
  const dense = values.length > 4 * plot.width;
  let on = false;
  let column = Number.NaN;
  let [top, bottom, last] = [0, 0, 0];
  const flush = () => {
    if (!dense || !on) return;
    context.lineTo(column, top);
    context.lineTo(column, bottom);
    context.lineTo(column, last);
  };
  values.forEach((value, index) => {
    if (value === null) {
      flush();
      on = false;
      return;
    }
    const [x, y] = [toX(line.x[index]), toY(value, line.scale)];
    if (on && dense && Math.round(x) === column) {
      [top, bottom, last] = [Math.min(top, y), Math.max(bottom, y), y];
      return;
    }
    flush();
    if (on) context.lineTo(x, y);
    else context.moveTo(x, y);
    [on, column, top, bottom, last] = [true, Math.round(x), y, y, y];
  });
  flush();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Line} line
 * @param {(number | null)[]} high
 */
function fillBetween(context, { toX, toY }, line, high) {
  context.fillStyle = `${line.color}40`;
  const known = (/** @type {number} */ at) => line.y[at] !== null && high[at] !== null;
  for (let first = 0; first < line.x.length; first += 1) {
    if (!known(first)) continue;
    let last = first;
    while (last + 1 < line.x.length && known(last + 1)) last += 1;
    context.beginPath();
    for (let at = first; at <= last; at += 1) {
      context.lineTo(toX(line.x[at]), toY(Number(line.y[at]), line.scale));
    }
    for (let at = last; at >= first; at -= 1) {
      context.lineTo(toX(line.x[at]), toY(Number(high[at]), line.scale));
    }
    context.fill();
    first = last;
  }
}

/**
 * Whole circles, at the plot's edge as well.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Line} line
 * @param {string} card
 */
function drawPoints(context, { plot, toX, toY }, line, card) {
  const { x, y, high, dots, color } = line;
  context.globalAlpha = line.alpha ?? 1;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.fillStyle = dots ? card : color;
  for (const values of high ? [y, high] : [y]) {
    for (const index of pointsToShow(values, dots ?? false, (at) => toX(x[at]))) {
      const left = toX(x[index]);
      if (left < plot.left - 0.5 || left > plot.left + plot.width + 0.5) continue;
      context.beginPath();
      context.arc(left, toY(Number(values[index]), line.scale), 2.5, 0, 7);
      context.fill();
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

/** A stretch of a line narrower than this, in CSS pixels, would not be seen. */
const NARROW = 3;

/**
 * Dotted lines show every point; others those that no line shows: alone, or joined to others that
 * stand in the same place.
 *
 * @param {(number | null)[]} values
 * @param {boolean} all
 * @param {(index: number) => number} toX
 * @returns {number[]} Indices.
 */
export function pointsToShow(values, all, toX) {
  /** @type {number[]} */
  const found = [];
  for (let first = 0; first < values.length; first += 1) {
    let end = first;
    while ((values[end] ?? null) !== null) end += 1;
    if (all || toX(end - 1) - toX(first) < NARROW) {
      for (let at = first; at < end; at += 1) found.push(at);
    }
    first = end;
  }
  return found;
}
