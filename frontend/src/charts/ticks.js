/**
 * Ticks of charts: labels beside the plot and beneath it.
 *
 * @typedef {object} Plot
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

/**
 * Ticks of the y axis, with a hair line each.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {number[]} ticks
 * @param {(value: number) => number} y
 * @param {(value: number) => string} write
 * @param {import("./palette.js").Palette} palette
 */
export function drawTicks(context, plot, ticks, y, write, palette) {
  context.font = `${FONT_PIXELS}px ${palette.font}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const tick of ticks) {
    const at = Math.round(y(tick));
    context.fillStyle = palette.grid;
    context.fillRect(plot.left, at, plot.width, 1);
    context.fillStyle = palette.soft;
    context.fillText(write(tick), plot.left - 6, at + 0.5, plot.left - 8);
  }
}

/**
 * Ticks of the x axis beneath the plot; a label at the end stays inside the canvas.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {number[]} ticks
 * @param {(value: number) => number} toX
 * @param {(value: number) => string} write
 * @param {import("./palette.js").Palette} palette
 */
export function drawSteps(context, plot, ticks, toX, write, palette) {
  context.font = `${FONT_PIXELS}px ${palette.font}`;
  context.textAlign = "center";
  context.textBaseline = "top";
  const bottom = plot.top + plot.height;
  const end = context.canvas.clientWidth || context.canvas.width / devicePixelRatio;
  for (const tick of ticks) {
    const [x, text] = [toX(tick), write(tick)];
    context.fillStyle = palette.grid;
    context.fillRect(Math.round(x), bottom, 1, 4);
    context.fillStyle = palette.soft;
    context.fillText(text, Math.min(x, end - context.measureText(text).width / 2), bottom + 8);
  }
}

export const FONT_PIXELS = 11;
