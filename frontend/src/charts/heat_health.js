/**
 * What the map says beside the cells while its colors are health: a tick in each row where it first
 * leaves its limits, and at the right when that is and in which order.
 *
 * @import { Health } from "./health.js"
 * @import { HeatLayout } from "./heat_layout.js"
 * @import { HeatProps } from "./heat.js"
 */
import { VALUE } from "../data/decode.js";
import { ordinal } from "../format/numbers.js";
import { formatStepShort, stepNumber } from "../format/steps.js";

const FONT_PIXELS = 11;
/** Rows thinner than this have no room for a tick. */
const TICKED = 10;
const GAP = 10;
/** How far above the rows the heading stands: no label of a row, however thin, reaches it. */
const HEADING = 13;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 * @param {Health} health
 * @param {number[]} named  Positions of the rows that have a label.
 */
export function drawCrossings(context, layout, props, health, named) {
  const { order } = props;
  const each = layout.height / Math.max(1, order.length);
  if (each >= TICKED) {
    order.forEach((row, position) => {
      if (health.first[row] >= 0)
        drawTick(context, layout, props, health.first[row], position, each);
    });
  }
  if (props.gutter.right >= 40) drawOrder(context, layout, props, health, each, named);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 * @param {number} cell
 * @param {number} position
 * @param {number} each
 */
function drawTick(context, layout, { edges, extent: [low, high], palette }, cell, position, each) {
  const x = Math.round(layout.left + ((edges[cell] - low) / (high - low)) * layout.width);
  if (x < layout.left - 1 || x > layout.left + layout.width) return;
  const top = layout.top + position * each;
  context.fillStyle = palette.card;
  context.fillRect(x - 2, top, 4, each);
  context.fillStyle = palette.ink;
  context.fillRect(x - 1, top, 2, each);
  context.beginPath();
  context.moveTo(x - 4, top);
  context.lineTo(x + 4, top);
  context.lineTo(x, top + 5);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatLayout} layout
 * @param {HeatProps} props
 * @param {Health} health
 * @param {number} each
 * @param {number[]} named
 */
function drawOrder(
  context,
  layout,
  { order, heat, palette, gutter, axis, crossing },
  health,
  each,
  named,
) {
  const left = layout.left + layout.width + GAP;
  const wide = gutter.right >= 100;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.font = `${FONT_PIXELS}px ${palette.font}`;
  context.fillStyle = palette.soft;
  if (wide) context.fillText(crossing, left, layout.top - HEADING, gutter.right - GAP);
  for (const position of named) {
    const row = order[position];
    const y = layout.top + (position + 0.5) * each + 0.5;
    const cell = health.first[row];
    if (cell < 0) {
      context.fillStyle = palette.soft;
      context.fillText(withinWords(health, row), left, y, gutter.right - GAP);
      continue;
    }
    const step = formatStepShort(stepNumber(heat.header.first_steps[cell]));
    const text = wide ? `${axis.unit} ${step}` : step;
    context.fillStyle = palette.ink;
    context.fillText(text, left, y, gutter.right - GAP);
    if (!wide) continue;
    context.fillStyle = palette.soft;
    const at = Math.max(left + 54, left + context.measureText(text).width + 8);
    context.fillText(ordinal(health.place[row]), at, y);
  }
}

/**
 * What is said of a row that never leaves its limits.
 *
 * @param {Health} health
 * @param {number} row
 */
function withinWords({ heat: { cells, codes }, bands }, row) {
  if (!bands[row]) return "no limit";
  return codes.subarray(row * cells, (row + 1) * cells).includes(VALUE) ? "within" : "no data";
}
