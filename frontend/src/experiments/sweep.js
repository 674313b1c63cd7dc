/**
 * Where things stand in the chart of a range test: numbers only.
 *
 * @import { RangeTest, Sweep } from "./types.js"
 */
import { linearTicks, logTicks } from "../charts/ranges.js";
import { finite } from "./words.js";

export const HEIGHT = 300;
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 14, 30, 40];
/** How far beyond the swept rates the axis goes to show the rate in use. */
const FURTHEST = 100;
/** The axis ends a little above where the losses begin: what diverges leaves the plot. */
const HEADROOM = 1.25;
/** Losses that span more are drawn on a logarithmic scale: on a linear one all but the start is flat. */
const LOGARITHMIC = 100;

/**
 * @typedef {object} Frame
 * @property {(rate: number) => number} across
 * @property {(loss: number) => number} up
 * @property {number[]} xTicks
 * @property {number[]} yTicks
 * @property {boolean} log  Whether the loss is on a logarithmic scale.
 * @property {[number, number]} rates
 * @property {{left: number, right: number, top: number, bottom: number}} plot
 */

/**
 * @param {RangeTest} data
 * @param {number} width
 * @returns {Frame | null} null where there is nothing to draw.
 */
export function frameOf(data, width) {
  const curves = [data, ...(data.unclipped ? [data.unclipped] : [])].flatMap((one) => one.curves);
  const swept = curves.flatMap(({ rates }) => finite(rates)).filter((rate) => rate > 0);
  const smoothed = curves.map((curve) => finite(curve.smoothed)).filter(({ length }) => length);
  if (swept.length < 2 || smoothed.length === 0) return null;
  let low = swept.reduce((a, b) => Math.min(a, b));
  let high = swept.reduce((a, b) => Math.max(a, b));
  const used = data.rate_in_use ?? 0;
  if (used > 0 && used < low && low / used <= FURTHEST) low = used / 2;
  if (used > high && used / high <= FURTHEST) high = used * 2;
  const losses = smoothed.flat();
  const bottom = losses.reduce((a, b) => Math.min(a, b));
  const starts = smoothed.map(([first]) => first).reduce((a, b) => Math.max(a, b));
  const top = starts > bottom ? bottom + (starts - bottom) * HEADROOM : bottom + 1;
  const log = bottom > 0 && top / bottom > LOGARITHMIC;
  const near = bottom >= 0 && bottom < (top - bottom) / 2 ? 0 : bottom - (top - bottom) * 0.05;
  const floor = log ? bottom / HEADROOM : near;
  const scaled = (/** @type {number} */ loss) => (log ? Math.log(Math.max(loss, floor)) : loss);
  const [least, most] = [scaled(floor), scaled(top)];
  const plot = {
    left: LEFT,
    right: Math.max(LEFT + 40, width - RIGHT),
    top: TOP,
    bottom: HEIGHT - BOTTOM,
  };
  const [from, to] = [Math.log(low), Math.log(high)];
  return {
    across: (rate) =>
      plot.left + ((Math.log(rate) - from) / (to - from)) * (plot.right - plot.left),
    up: (loss) =>
      plot.bottom - ((scaled(loss) - least) / (most - least)) * (plot.bottom - plot.top),
    xTicks: logTicks(low, high, Math.max(3, Math.floor((plot.right - plot.left) / 70))),
    yTicks: log ? logTicks(floor, top, 5) : linearTicks(floor, top, 5),
    log,
    rates: [low, high],
    plot,
  };
}

/**
 * The line through the points of a curve; a gap where a loss is not finite.
 *
 * @param {(number | null)[]} rates
 * @param {(number | null)[]} losses
 * @param {Frame} frame
 */
export function pathOf(rates, losses, { across, up, plot }) {
  let open = false;
  /** @type {string[]} */
  const parts = [];
  // What is far above is cut off by the plot's edge; a coordinate must stay a number.
  const most = plot.top - 4 * HEIGHT;
  rates.forEach((rate, at) => {
    const loss = losses[at] ?? null;
    if (rate === null || !(rate > 0) || loss === null) {
      open = false;
      return;
    }
    const y = Math.max(most, up(loss));
    parts.push(`${open ? "L" : "M"}${across(rate).toFixed(1)} ${y.toFixed(1)}`);
    open = true;
  });
  return parts.join("");
}

/**
 * Index of the swept rate nearest to a place in the chart.
 *
 * @param {Sweep} sweep
 * @param {number} x
 * @param {Frame} frame
 */
export function nearest(sweep, x, { across }) {
  const rates = sweep.curves[0]?.rates ?? [];
  let [found, distance] = [-1, Number.POSITIVE_INFINITY];
  rates.forEach((rate, at) => {
    if (rate === null || !(rate > 0)) return;
    const away = Math.abs(across(rate) - x);
    if (away < distance) [found, distance] = [at, away];
  });
  return found;
}
