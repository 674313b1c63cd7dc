/**
 * A statistic from input to output at one step, on a canvas: a dot for each layer, what it went
 * through over all steps as a shadow behind it, the healthy range as a band. What is not finite
 * stands on the upper edge as in the heat map, what is unknown leaves a gap. Beside it the same of
 * another run, in its color, on the same scale.
 *
 * @import { Heat, Metric, Row } from "../types.js"
 * @import { Palette } from "./palette.js"
 * @import { Plot } from "./ticks.js"
 */
import { INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { fitName, fullName, spelledOut, visible } from "../format/names.js";
import { formatPercent, formatTick, formatValue, isFraction } from "../format/numbers.js";
import { paintHealthy } from "./line_marks.js";
import { createPlaces } from "./places.js";
import { linearTicks, logTicks } from "./ranges.js";
import { fitCanvas } from "./size.js";
import { drawTicks, FONT_PIXELS } from "./ticks.js";

/**
 * @typedef {object} ProfileScale
 * @property {number} low
 * @property {number} high
 * @property {boolean} log
 *
 * @typedef {object} ProfileBeside  The same statistic of the run compared.
 * @property {string} run
 * @property {Heat} heat
 * @property {(number | null)[]} partners  Its row for each row of the group; null without one.
 * @property {number} cell
 * @property {string} color
 *
 * @typedef {object} ProfileProps
 * @property {Heat} heat
 * @property {Row[]} rows  Of the whole group.
 * @property {number[]} shown  Rows by place on the axis, from input to output.
 * @property {{low: Float64Array, high: Float64Array}} span  Of each of `shown` over all steps; NaN without a value.
 * @property {ProfileScale} scale
 * @property {Metric} metric
 * @property {number} cell
 * @property {number} selectedRow
 * @property {string} color
 * @property {ProfileBeside | null} beside
 * @property {Palette} palette
 * @property {(row: number) => void} onOpen
 */

const PAD = { top: 14, bottom: 20, left: 52, right: 12 };
const DOT = 3.5;
/** How far the other run's marks stand beside the own ones, which may be there as well. */
const ASIDE = 6;
/** Widest mark of a layer, where there are few. */
const WIDEST = 44;
/** Room for one name, and how it is cut. */
const NAME_ROOM = 78;

/** @returns {import("../views/mount.js").Component<ProfileProps>} */
export function createProfile() {
  /** @type {ProfileProps | null} */
  let props = null;
  const chart = createPlaces("profile", "depth profile", {
    at(x, width) {
      const count = props?.shown.length ?? 0;
      const place = Math.floor(((x - PAD.left) / (width - PAD.left - PAD.right)) * count);
      return place >= 0 && place < count ? place : -1;
    },
    count: () => props?.shown.length ?? 0,
    rest: () => (props ? props.shown.indexOf(props.selectedRow) : -1),
    say: (place) =>
      (props && profileSentence(props, place)) || "Point at a layer to read it; click opens it.",
    open: (place) => props?.onOpen(props.shown[place]),
    draw(place) {
      const { canvas, frame } = chart;
      const context = props && fitCanvas(canvas, frame);
      if (context && props) draw(context, frame.clientWidth, frame.clientHeight, props, place);
    },
  });
  return {
    element: chart.element,
    update(next) {
      const other = props?.shown !== next.shown;
      const label = `${next.metric.title} of ${next.shown.length} rows from input to output. `;
      chart.canvas.setAttribute("aria-label", `${label}Arrow keys move, Enter opens the row.`);
      props = next;
      chart.reserve();
      if (other) chart.follow(-1);
      else chart.redraw();
    },
    destroy: chart.destroy,
  };
}

/**
 * What one place says, in words; of the run compared as well.
 *
 * @param {Pick<ProfileProps, "heat" | "rows" | "shown" | "metric" | "cell" | "beside">} props
 * @param {number} place
 */
export function profileSentence({ heat, rows, shown, metric, cell, beside }, place) {
  const row = shown[place];
  if (row === undefined) return "";
  const at = row * heat.cells + cell;
  const value = formatValue(heat.values[at], metric);
  const said = [`${metric.title} = ${value}`, "no data", "NaN", "infinite"][heat.codes[at]];
  const other = beside ? ` · in ${visible(beside.run)} ${theirs(beside, row, metric)}` : "";
  return `${fullName(spelledOut(rows[row].name))} · ${said}${other}`;
}

/**
 * @param {ProfileBeside} beside
 * @param {number} row
 * @param {Metric} metric
 */
function theirs({ heat, partners, cell }, row, metric) {
  const partner = partners[row] ?? null;
  if (partner === null) return "no such row";
  const at = partner * heat.cells + cell;
  const value = formatValue(heat.values[at], metric);
  return [value, "no data", "NaN", "infinite"][heat.codes[at]];
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {number} height
 * @param {ProfileProps} props
 * @param {number} place
 */
function draw(context, width, height, props, place) {
  const { heat, shown, span, scale, cell, selectedRow, palette, color, beside } = props;
  const plot = {
    left: PAD.left,
    top: PAD.top,
    width: width - PAD.left - PAD.right,
    height: height - PAD.top - PAD.bottom,
  };
  const each = plot.width / shown.length;
  const x = (/** @type {number} */ at) => plot.left + (at + 0.5) * each;
  const y = (/** @type {number} */ value) =>
    plot.top + plot.height * (1 - Math.min(1, Math.max(0, part(value, scale))));
  drawGround(context, plot, props, y);
  drawNames(context, plot, props, each);
  // What each layer went through: flat beneath the line.
  context.fillStyle = color;
  context.globalAlpha = 0.16;
  shown.forEach((_row, at) => {
    if (!(span.high[at] >= span.low[at])) return;
    const [top, bottom] = [y(span.high[at]), y(span.low[at])];
    const wide = Math.max(2, Math.min(14, each * 0.6));
    context.fillRect(x(at) - wide / 2, top, wide, Math.max(1, bottom - top));
  });
  context.globalAlpha = 1;
  const held = shown.indexOf(selectedRow);
  for (const [at, alpha] of [
    [held, 0.1],
    [place, 0.07],
  ]) {
    if (at < 0) continue;
    context.globalAlpha = alpha;
    context.fillStyle = palette.ink;
    const wide = Math.min(WIDEST, Math.max(each, 3));
    context.fillRect(x(at) - wide / 2, plot.top, wide, plot.height);
  }
  context.globalAlpha = 1;
  const near = (/** @type {number} */ at) => at === held || at === place;
  if (beside) {
    const other = shown.map((row) => beside.partners[row] ?? null);
    const points = pointsOf(beside.heat, other, beside.cell, scale);
    drawPoints(context, points, { x, y, each, near, color: beside.color, palette });
    for (const { at, code, drawn } of points) {
      if (!drawn && code !== NO_DATA)
        mark(context, code, x(at) + ASIDE, plot, palette, beside.color);
    }
  }
  const points = pointsOf(heat, shown, cell, scale);
  drawPoints(context, points, { x, y, each, near, color, palette });
  for (const { at, code, drawn } of points) if (!drawn) mark(context, code, x(at), plot, palette);
}

/**
 * @typedef {object} Point
 * @property {number} at  Place from input to output.
 * @property {number} code
 * @property {number} value
 * @property {boolean} drawn  Whether it has a height on the scale.
 */

/**
 * @param {Heat} heat
 * @param {(number | null)[]} rows  By place; null: no such row.
 * @param {number} cell
 * @param {ProfileScale} scale
 * @returns {Point[]}
 */
function pointsOf(heat, rows, cell, scale) {
  return rows.map((row, at) => {
    if (row === null) return { at, code: NO_DATA, value: Number.NaN, drawn: false };
    const index = row * heat.cells + cell;
    const [code, value] = [heat.codes[index], heat.values[index]];
    return { at, code, value, drawn: code === VALUE && !(scale.log && value <= 0) };
  });
}

/**
 * A line through what has a height, broken where something has none, and a dot for each place.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {{x: (at: number) => number, y: (value: number) => number, each: number,
 *   near: (at: number) => boolean, color: string, palette: Palette}} how
 */
function drawPoints(context, points, { x, y, each, near, color, palette }) {
  context.strokeStyle = color;
  context.lineWidth = 1.75;
  context.beginPath();
  points.forEach(({ at, value, drawn }, index) => {
    if (!drawn) return;
    if (index > 0 && points[index - 1].drawn) context.lineTo(x(at), y(value));
    else context.moveTo(x(at), y(value));
  });
  context.stroke();
  const dots = each >= 5;
  for (const { at, value, drawn } of points) {
    const alone = !(points[at - 1]?.drawn || points[at + 1]?.drawn);
    if (!drawn || !(dots || near(at) || alone)) continue;
    const radius = near(at) ? DOT + 1.5 : Math.min(DOT, Math.max(1.5, each / 3));
    context.beginPath();
    context.arc(x(at), y(value), radius, 0, 7);
    context.fillStyle = near(at) ? color : palette.card;
    context.fill();
    context.stroke();
  }
}

/** @param {number} value @param {ProfileScale} scale */
function part(value, { low, high, log }) {
  if (!log) return (value - low) / (high - low);
  return value > 0 ? Math.log(value / low) / Math.log(high / low) : 0;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {ProfileProps} props
 * @param {(value: number) => number} y
 */
function drawGround(context, plot, { scale, metric, palette }, y) {
  if (metric.healthy) paintHealthy(context, plot, metric.healthy, y, palette);
  const count = Math.max(2, Math.floor(plot.height / 34));
  const { low, high, log } = scale;
  const ticks = log ? logTicks(low, high, count) : linearTicks(low, high, count);
  drawTicks(context, plot, ticks, y, isFraction(metric) ? formatPercent : formatTick, palette);
}

/**
 * Names of layers where there is room; else of the first, the last and the selected one.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {ProfileProps} props
 * @param {number} each
 */
function drawNames(context, plot, { rows, shown, selectedRow, palette }, each) {
  const held = shown.indexOf(selectedRow);
  const stride = Math.max(1, Math.ceil(NAME_ROOM / each));
  const room = Math.min(160, each * stride - 8);
  context.textBaseline = "top";
  context.textAlign = "center";
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  for (let at = 0; at < shown.length; at += 1) {
    if (at !== held && (at % stride !== 0 || (held >= 0 && Math.abs(at - held) < stride))) continue;
    context.font = `${at === held ? "600 " : ""}${FONT_PIXELS}px ${palette.font}`;
    context.fillStyle = at === held ? palette.ink : palette.soft;
    const text = fitName(rows[shown[at]].layer, room, measure);
    const half = measure(text) / 2;
    const middle = plot.left + (at + 0.5) * each;
    const left = Math.max(plot.left + half, Math.min(plot.left + plot.width - half, middle));
    context.fillText(text, left, plot.top + plot.height + 6);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} code
 * @param {number} x
 * @param {Plot} plot
 * @param {Palette} palette
 * @param {string} [color]
 */
function mark(context, code, x, plot, palette, color = palette.nonfinite) {
  if (code === NO_DATA) {
    context.fillStyle = palette.faint;
    context.font = `${FONT_PIXELS}px ${palette.font}`;
    context.textAlign = "center";
    context.textBaseline = "bottom";
    context.fillText("–", x, plot.top + plot.height - 2);
    return;
  }
  context.save();
  context.strokeStyle = color;
  context.fillStyle = color;
  const [size, top] = [4, plot.top - 6];
  context.beginPath();
  if (code === NAN) {
    context.moveTo(x - size, top - size);
    context.lineTo(x + size, top + size);
    context.moveTo(x + size, top - size);
    context.lineTo(x - size, top + size);
    context.stroke();
  } else {
    // An infinity points up; a zero on a logarithmic scale down, from the lower edge, hollow.
    const infinite = code === INFINITE;
    const base = infinite ? top : plot.top + plot.height - size - 2;
    const tip = infinite ? -size : size;
    context.moveTo(x, base + tip);
    context.lineTo(x + size, base - tip);
    context.lineTo(x - size, base - tip);
    context.closePath();
    if (infinite) context.fill();
    else context.stroke();
  }
  context.restore();
}
