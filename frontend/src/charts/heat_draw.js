/**
 * What surrounds and overlies the heat map's cells: labels, ticks, the color scale, the cross-hair.
 * Coordinates are CSS pixels.
 *
 * @import { HeatLayout } from "./heat_layout.js"
 * @import { HeatProps, Place, RowMark } from "./heat.js"
 * @import { Healthy } from "../types.js"
 */
import { commonPath, fitName } from "../format/names.js";
import { formatDifference, formatPercent, formatTick, isFraction } from "../format/numbers.js";
import { badness, outline as contour, VERDICT_PATH } from "../format/severity.js";
import { CIVIDIS } from "./cividis.js";
import { between } from "./color_scale.js";
import { shape } from "./drawings.js";
import { labeled } from "./heat_layout.js";
import { xTicks } from "./line_scales.js";
import { ABOVE_ZERO, linearTicks, logTicks } from "./ranges.js";

const FONT_PIXELS = 11;
const LABEL_SPACING = 14;
const ICON = 11;
const ICON_ROOM = 24;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 * @returns {number[]} Positions of the rows that got a label: what stands at the right is of the same.
 */
export function drawLabels(context, layout, props) {
  const { order, rows, marks, palette, selectedRow } = props;
  const each = layout.height / Math.max(1, order.length);
  const importance = (/** @type {number} */ position) => {
    const row = order[position];
    if (row === selectedRow) return 200;
    const mark = marks.get(row);
    return mark ? (mark.own ? 10 : 1) * (10 - badness(mark.verdict)) : 0;
  };
  context.textBaseline = "middle";
  context.textAlign = "right";
  const room = layout.left - ICON_ROOM - 4;
  const measured = (/** @type {string} */ name) => context.measureText(name).width;
  context.font = `${FONT_PIXELS}px ${palette.font}`;
  // What all names begin with says nothing, and goes where one of them has no room for it.
  const names = order.map((row) => rows[row].name);
  const common = commonPath(rows.map((row) => row.name));
  const longest = names.reduce((a, b) => (b.length > a.length ? b : a), "");
  const path = measured(longest) > room ? common : "";
  const named = labeled(order.length, layout.height, LABEL_SPACING, importance);
  for (const position of named) {
    const row = order[position];
    const mark = marks.get(row);
    const y = layout.top + (position + 0.5) * each;
    const strong = row === selectedRow || mark?.own === true;
    context.font = `${row === selectedRow ? "600 " : ""}${FONT_PIXELS}px ${palette.font}`;
    context.fillStyle = strong ? palette.ink : palette.soft;
    const text = fitName(rows[row].name.slice(path.length), room, measured);
    context.fillText(text, layout.left - ICON_ROOM, y + 0.5);
    if (mark)
      drawIcon(context, mark, layout.left - 21, y - ICON / 2, palette.verdict[mark.verdict]);
  }
  return named;
}

/**
 * The sign of a severity; only its outer line where it is not the selected finding's.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {RowMark} mark
 * @param {number} x
 * @param {number} y
 * @param {string} color
 */
function drawIcon(context, { verdict, own }, x, y, color) {
  context.save();
  context.translate(x, y);
  context.scale(ICON / 16, ICON / 16);
  if (own) {
    context.fillStyle = color;
    context.fill(shape(VERDICT_PATH[verdict]), "evenodd");
  } else {
    context.globalAlpha = 0.6;
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.stroke(shape(contour(verdict)));
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 */
export function drawAxis(context, layout, { extent, palette, axis }) {
  const [low, high] = extent;
  context.font = `${FONT_PIXELS}px ${palette.font}`;
  context.textBaseline = "top";
  context.textAlign = "center";
  const y = layout.top + layout.height;
  for (const tick of xTicks(axis.kind, low, high, layout.width)) {
    const x = layout.left + ((tick - low) / (high - low)) * layout.width;
    context.fillStyle = palette.grid;
    context.fillRect(Math.round(x), y, 1, 4);
    context.fillStyle = palette.soft;
    context.fillText(axis.tick(tick), x, y + 7);
  }
}

/**
 * The color scale in the right gutter, with its ticks.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 */
export function drawScale(context, layout, { range, metric, palette, gutter }) {
  const bar = {
    x: layout.left + layout.width + 10,
    width: 9,
    top: layout.top,
    height: layout.height,
  };
  if (gutter.right < 30) return;
  const stops = range.difference || range.diverging ? palette.heat.diverging : CIVIDIS;
  for (let y = 0; y < bar.height; y += 1) {
    context.fillStyle = `rgb(${between(stops, 1 - y / bar.height).join(" ")})`;
    context.fillRect(bar.x, bar.top + y, bar.width, Math.min(1, bar.height - y));
  }
  const floor = range.log && range.zeros ? ABOVE_ZERO : 0;
  const place = (/** @type {number} */ value) => {
    const part = range.log
      ? Math.log(value / range.low) / Math.log(range.high / range.low)
      : (value - range.low) / (range.high - range.low);
    return bar.top + bar.height * (1 - (floor + (1 - floor) * part));
  };
  const count = Math.max(2, Math.floor(bar.height / 36));
  const ticks = range.difference
    ? [range.low, 0, range.high]
    : range.log
      ? logTicks(range.low, range.high, count)
      : linearTicks(range.low, range.high, count);
  context.font = `${FONT_PIXELS - 1}px ${palette.font}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillStyle = palette.soft;
  const write = range.difference
    ? (/** @type {number} */ value) => formatDifference(value, metric)
    : isFraction(metric)
      ? formatPercent
      : formatTick;
  const inside = (/** @type {number} */ y) =>
    Math.min(bar.top + bar.height - 5, Math.max(bar.top + 5, y));
  const zero = floor > 0 ? inside(bar.top + bar.height) : null;
  const at = (/** @type {number} */ value) => inside(place(value));
  for (const label of scaleLabels(ticks, range, write, at, zero)) {
    context.fillText(label.text, bar.x + bar.width + 4, label.at, gutter.right - 24);
  }
  if (metric.healthy && !range.difference)
    drawHealthy(context, bar, metric.healthy, place, palette);
}

/**
 * The healthy range beside the color scale, as charts of curves show it: a band, or where only one
 * end is known, that end.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, top: number, height: number}} bar
 * @param {Healthy} healthy
 * @param {(value: number) => number} place
 * @param {HeatProps["palette"]} palette
 */
function drawHealthy(context, { x, top, height }, { low, high }, place, palette) {
  const end = top + height;
  context.save();
  context.lineWidth = 1;
  if (low === null || high === null) {
    const at = place(low ?? high ?? 0);
    if (at > top && at < end) {
      context.strokeStyle = palette.verdict.warning;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x - 6, at);
      context.lineTo(x + 9, at);
      context.stroke();
    }
  } else {
    const [from, to] = [Math.max(top, place(high)), Math.min(end, place(low))];
    context.strokeStyle = palette.verdict.healthy;
    context.fillStyle = palette.healthyBand;
    if (to > from) {
      context.fillRect(x - 6, from, 4, to - from);
      context.strokeRect(x - 6, from, 4, to - from);
    }
  }
  context.restore();
}

/** Labels of the color scale closer than this, in CSS pixels, would touch. */
const SCALE_SPACING = 12;

/**
 * The color scale's labels. An end beyond which there are values says so, in place of the ticks
 * near it: the color there is that of everything beyond, too.
 *
 * @param {number[]} ticks
 * @param {Pick<import("./ranges.js").ColorRange, "low" | "high" | "clippedLow" | "clippedHigh">} range
 * @param {(value: number) => string} write
 * @param {(value: number) => number} place Of a value on the scale, in pixels.
 * @param {number | null} [zero] Where exactly 0 stands, beneath what a logarithm can show.
 * @returns {{at: number, text: string}[]}
 */
export function scaleLabels(
  ticks,
  { low, high, clippedLow, clippedHigh },
  write,
  place,
  zero = null,
) {
  // What matters most comes first: a label too near to one before it is left out.
  const labels = [
    ...(clippedHigh ? [{ at: place(high), text: `≥ ${write(round(high))}` }] : []),
    ...(clippedLow ? [{ at: place(low), text: `≤ ${write(round(low))}` }] : []),
    ...(zero === null ? [] : [{ at: zero, text: "0" }]),
    ...ticks.map((tick) => ({ at: place(tick), text: write(tick) })),
  ];
  /** @type {typeof labels} */
  const kept = [];
  for (const label of labels) {
    if (kept.every(({ at }) => Math.abs(at - label.at) >= SCALE_SPACING)) kept.push(label);
  }
  return kept.sort((a, b) => b.at - a.at);
}

/** @param {number} value */
function round(value) {
  return Number(value.toPrecision(2));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 * @param {Place | null} place
 * @param {number | null} hovered On the x axis.
 */
export function drawOverlay(context, layout, props, place, hovered) {
  const { order, extent, palette, selectedRow, selectedStep, onset, edges, axis } = props;
  const x = (/** @type {number} */ at) =>
    layout.left + ((at - extent[0]) / (extent[1] - extent[0])) * layout.width;
  const xOf = (/** @type {number} */ step) => x(axis.fromStep(step));
  const inside = (/** @type {number} */ at) =>
    at >= layout.left - 0.5 && at <= layout.left + layout.width + 0.5;
  const each = layout.height / Math.max(1, order.length);
  const top = (/** @type {number} */ position) => layout.top + position * each;
  const column = (
    /** @type {number} */ at,
    /** @type {string} */ color,
    /** @type {number[]} */ dash,
  ) => {
    if (!inside(at)) return;
    // The ground's color beneath: seen on dark cells as on light ones.
    for (const [width, stroke] of /** @type {const} */ ([
      [3, `${palette.card}b0`],
      [1.25, color],
    ])) {
      context.lineWidth = width;
      context.strokeStyle = stroke;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(at, layout.top);
      context.lineTo(at, layout.top + layout.height);
      context.stroke();
    }
    context.setLineDash([]);
  };
  if (selectedStep !== null && selectedStep !== onset?.step)
    column(xOf(selectedStep), palette.ink, []);
  if (onset) column(xOf(onset.step), palette.verdict[onset.verdict], [4, 3]);
  if (hovered !== null) column(x(hovered), palette.ink, []);
  const selected = order.indexOf(selectedRow);
  if (selected >= 0) {
    const y = top(selected);
    if (each < THIN) pointers(context, layout, y + each / 2, palette.ink);
    else outline(context, layout.left - 1, y, layout.width + 2, each, palette.ink, palette.card);
  }
  if (place) {
    const left = Math.max(layout.left, x(edges[place.cell]));
    const right = Math.min(layout.left + layout.width, x(edges[place.cell + 1]));
    if (right > left) {
      const y = top(order.indexOf(place.row));
      outline(
        context,
        left - 1,
        y - 1,
        Math.max(3, right - left) + 2,
        Math.max(3, each) + 2,
        palette.ink,
        palette.card,
      );
    }
  }
}

/** Rows thinner than this would vanish, with their neighbors, beneath an outline. */
const THIN = 7;

/**
 * Points at a thin row from both sides, covering no cell.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {number} y
 * @param {string} color
 */
function pointers(context, { left, width }, y, color) {
  context.fillStyle = color;
  for (const [x, away] of [
    [left - 1, -1],
    [left + width + 1, 1],
  ]) {
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + away * 7, y - 4);
    context.lineTo(x + away * 7, y + 4);
    context.fill();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {string} color
 * @param {string} under Wider, beneath: seen on any cell.
 */
function outline(context, x, y, width, height, color, under) {
  const least = Math.max(3, height);
  context.lineWidth = 3;
  context.strokeStyle = under;
  context.strokeRect(x, y, width, least);
  context.lineWidth = 1.5;
  context.strokeStyle = color;
  context.strokeRect(x, y, width, least);
}
