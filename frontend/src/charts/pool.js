/**
 * Pools a heat map's cells into the pixels there are: a pixel shows the *worst* of what falls into
 * it, so that one bad layer among 2,000 is never lost. NaN beats infinity beats any value beats no
 * data.
 *
 * @import { Heat, Worst } from "../types.js"
 */
import { INFINITE, NAN, NO_DATA, NO_LIMIT, VALUE } from "../data/decode.js";

/**
 * @typedef {{values: Float32Array, codes: Uint8Array, width: number, height: number}} Grid
 *
 * @typedef {object} Spread  Pixels of one direction that show the same belong together.
 * @property {Int32Array} spans `[2 * count]`: those that differ from the one before, in order.
 * @property {Int32Array} at `[pixels]`: which of them each pixel shows.
 */

const RANK = new Uint8Array(5);
RANK[NO_DATA] = 0;
RANK[NO_LIMIT] = 1;
/** The rank of a cell with a value; what is not finite ranks higher. */
export const OF_VALUE = 2;
RANK[VALUE] = OF_VALUE;
RANK[INFINITE] = 3;
RANK[NAN] = 4;

/**
 * How bad a value is among values; higher is worse. For "both" the distance from `center`, on the
 * scale that is drawn: on a logarithmic one, how many times more or less it is.
 *
 * @param {Worst} worst
 * @param {boolean} log
 * @param {number} center
 * @returns {(value: number) => number}
 */
export function badnessOf(worst, log, center) {
  if (worst === "high") return (value) => value;
  if (worst === "low") return (value) => -value;
  if (!log) return (value) => Math.abs(value - center);
  const middle = center > 0 ? center : 1;
  return (value) => (value > 0 ? Math.max(value / middle, middle / value) : Number.MAX_VALUE);
}

/**
 * Which cells each of `pixels` shows: of more cells than pixels each is shown once, of fewer each
 * by the pixels whose centers lie in it.
 *
 * @param {number} count Cells, evenly spread over the pixels.
 * @param {number} pixels
 * @returns {Int32Array} `[2 * pixels]`: first and one beyond the last.
 */
export function evenSpans(count, pixels) {
  const spans = new Int32Array(2 * pixels);
  const many = count >= pixels;
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const first = Math.floor(((many ? pixel : pixel + 0.5) * count) / pixels);
    spans[2 * pixel] = first;
    spans[2 * pixel + 1] = many ? Math.floor(((pixel + 1) * count) / pixels) : first + 1;
  }
  return spans;
}

/**
 * Which cells each pixel column shows when cells lie at `edges` on an axis shown from `low` to
 * `high`. A cell narrower than a pixel still gets one. Pixels outside the data get none (-1, -1).
 *
 * @param {Float64Array} edges `[cells + 1]`, increasing
 * @param {number} low
 * @param {number} high
 * @param {number} pixels
 * @returns {Int32Array} `[2 * pixels]`
 */
export function axisSpans(edges, low, high, pixels) {
  const spans = new Int32Array(2 * pixels).fill(-1);
  const cells = edges.length - 1;
  const scale = pixels / (high - low);
  for (let cell = 0; cell < cells; cell += 1) {
    const left = (edges[cell] - low) * scale;
    const right = (edges[cell + 1] - low) * scale;
    if (right <= 0 || left >= pixels) continue;
    // Pixels whose center lies in the cell; the nearest one if there is none.
    let first = Math.ceil(left - 0.5);
    let last = Math.ceil(right - 0.5) - 1;
    if (last < first) {
      first = Math.floor((left + right) / 2);
      last = first;
    }
    first = Math.max(0, first);
    last = Math.min(pixels - 1, last);
    for (let pixel = first; pixel <= last; pixel += 1) {
      if (spans[2 * pixel] < 0) spans[2 * pixel] = cell;
      spans[2 * pixel + 1] = cell + 1;
    }
  }
  return spans;
}

/**
 * Where there are fewer cells than pixels, neighboring pixels show one cell: it is pooled, and its
 * color found, once.
 *
 * @param {Int32Array} spans `[2 * pixels]`
 * @returns {Spread}
 */
export function spread(spans) {
  const at = new Int32Array(spans.length / 2);
  const kept = new Int32Array(spans.length);
  let count = 0;
  for (let pixel = 0; pixel < at.length; pixel += 1) {
    const [first, last] = [spans[2 * pixel], spans[2 * pixel + 1]];
    if (count === 0 || first !== kept[2 * count - 2] || last !== kept[2 * count - 1]) {
      kept[2 * count] = first;
      kept[2 * count + 1] = last;
      count += 1;
    }
    at[pixel] = count - 1;
  }
  return { spans: kept.subarray(0, 2 * count), at };
}

/**
 * @param {Pick<Heat, "cells" | "values" | "codes">} heat
 * @param {ArrayLike<number>} order Rows to show, in this order.
 * @param {Int32Array} rowSpans `[2 * height]` over positions in `order`
 * @param {Int32Array} cellSpans `[2 * width]` over cells
 * @param {(value: number) => number} badness
 * @returns {Grid} `[height, width]`
 */
export function pool(heat, order, rowSpans, cellSpans, badness) {
  const height = rowSpans.length / 2;
  const width = cellSpans.length / 2;
  const values = new Float32Array(height * width).fill(Number.NaN);
  const codes = new Uint8Array(height * width).fill(NO_DATA);
  const { cells } = heat;
  const whole = isOneEach(cellSpans);
  for (let y = 0; y < height; y += 1) {
    let position = rowSpans[2 * y];
    if (whole) {
      const from = order[position] * cells + cellSpans[0];
      values.set(heat.values.subarray(from, from + width), y * width);
      codes.set(heat.codes.subarray(from, from + width), y * width);
      position += 1;
    }
    for (; position < rowSpans[2 * y + 1]; position += 1) {
      poolRow(heat, order[position] * cells, cellSpans, badness, values, codes, y * width);
    }
  }
  return { values, codes, width, height };
}

/**
 * Whether every column shows one cell, and each the next: then a row is copied as it is.
 *
 * @param {Int32Array} spans `[2 * width]`
 */
function isOneEach(spans) {
  return spans[0] >= 0 && spans.every((at, index) => at === spans[0] + ((index + 1) >> 1));
}

/**
 * Pools one row of cells into one row of pixels, on top of what is there.
 *
 * @param {Pick<Heat, "values" | "codes">} heat
 * @param {number} from
 * @param {Int32Array} cellSpans
 * @param {(value: number) => number} badness
 * @param {Float32Array} values
 * @param {Uint8Array} codes
 * @param {number} to
 */
function poolRow(heat, from, cellSpans, badness, values, codes, to) {
  const width = cellSpans.length / 2;
  for (let x = 0; x < width; x += 1) {
    const first = cellSpans[2 * x];
    if (first < 0) continue;
    let held = codes[to + x];
    let kept = values[to + x];
    let worst = held === VALUE ? badness(kept) : 0;
    for (let cell = from + first; cell < from + cellSpans[2 * x + 1]; cell += 1) {
      const code = heat.codes[cell];
      if (RANK[code] < RANK[held]) continue;
      const bad = code === VALUE ? badness(heat.values[cell]) : 0;
      if (code === held && bad <= worst) continue;
      held = code;
      kept = heat.values[cell];
      worst = bad;
    }
    codes[to + x] = held;
    values[to + x] = kept;
  }
}

/**
 * The worst cell of each row, for ordering and for the table of worst layers.
 *
 * @param {Heat} heat
 * @param {(value: number) => number} badness
 * @returns {{code: number, value: number, cell: number, rank: number, badness: number}[]} By row.
 */
export function worstByRow(heat, badness) {
  const { rows, cells, codes, values } = heat;
  const found = [];
  for (let row = 0, from = 0; row < rows; row += 1, from += cells) {
    let [rank, worst, cell] = [0, -Infinity, -1];
    for (let at = 0; at < cells; at += 1) {
      const ranked = RANK[codes[from + at]];
      if (ranked < rank) continue;
      const bad = ranked === OF_VALUE ? badness(values[from + at]) : 0;
      if (ranked > rank || (ranked === OF_VALUE && bad > worst)) {
        rank = ranked;
        worst = bad;
        cell = at;
      }
    }
    const [code, value] =
      cell < 0 ? [NO_DATA, Number.NaN] : [codes[from + cell], values[from + cell]];
    found.push({ code, value, cell, rank, badness: worst });
  }
  return found;
}
