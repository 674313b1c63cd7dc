/**
 * Turns a pooled grid into pixels. No canvas here: a `Uint32Array` in, a picture out, so that tests
 * can look at single pixels.
 *
 * @import { ColorRange } from "./ranges.js"
 * @import { Grid } from "./pool.js"
 */
import { INFINITE, NAN, NO_LIMIT, VALUE } from "../data/decode.js";
import { CIVIDIS } from "./cividis.js";
import { packed, shades } from "./color_scale.js";
import { levelOf } from "./health.js";
import { positionIn } from "./ranges.js";

/**
 * Colors as `[r, g, b]`.
 *
 * @typedef {object} HeatColors
 * @property {[number, number, number]} nan
 * @property {[number, number, number]} nanMark
 * @property {[number, number, number]} infinite
 * @property {[number, number, number]} infiniteMark
 * @property {[number, number, number]} noData
 * @property {[number, number, number]} noDataMark
 * @property {[number, number, number]} free  Of a row to which no limit applies.
 * @property {[number, number, number]} freeMark
 * @property {[number, number, number][]} diverging  From "much less" over "equal" to "much more".
 * @property {[number, number, number][]} levels  `[9]`: from far below a limit over healthy to far above.
 */

const SEQUENTIAL = shades(CIVIDIS);

/**
 * Patterns tell what is not a value apart without color: NaN has rising stripes, infinity broad
 * falling ones, a row without a limit dots, missing data sparse dots.
 *
 * @param {number} code
 * @param {number} x
 * @param {number} y
 * @param {number} unit Half the distance of two stripes, in pixels.
 * @returns {boolean} Whether the pixel belongs to the mark rather than to the ground.
 */
export function isMark(code, x, y, unit) {
  const period = 2 * unit;
  if (code === NAN) return (x + y) % period < Math.max(1, Math.round(0.54 * unit));
  if (code === INFINITE) return (x + 4 * period - (y % period)) % period < unit;
  const size = Math.max(1, Math.round(unit / 3));
  // Four thirds where that is whole: dots stand closer than those of missing data.
  const close = unit % 3 === 0 ? (4 * unit) / 3 : period;
  const spacing = code === NO_LIMIT ? close : 2 * period;
  return x % spacing < size && y % spacing < size;
}

const CODES = 5;
/** After how many units `isMark` repeats, in both directions. */
const PERIOD = 4;

/**
 * `isMark` for one period of every pattern: a map may be millions of pixels of it.
 *
 * @param {number} unit
 * @returns {Uint8Array} `[CODES, PERIOD * unit, PERIOD * unit]`
 */
function patterns(unit) {
  const side = PERIOD * unit;
  return Uint8Array.from({ length: CODES * side * side }, (_, at) => {
    const place = at % (side * side);
    const code = Math.floor(at / (side * side));
    return Number(isMark(code, place % side, Math.floor(place / side), unit));
  });
}

/**
 * @param {Grid} grid
 * @param {Int32Array} down `[height]`: the row of the grid that each row of pixels shows.
 * @param {Int32Array} across `[width]`: its column for each column of pixels.
 * @param {ColorRange | null} range  null: the values are distances from limits (charts/health.js).
 * @param {HeatColors} colors
 * @param {number} unit Size of the patterns in pixels.
 * @returns {Uint32Array<ArrayBuffer>} `[height * width]`, RGBA in memory order on little-endian machines.
 */
export function paint(grid, down, across, range, colors, unit) {
  const { codes } = grid;
  const ground = new Uint32Array(CODES);
  const mark = new Uint32Array(CODES);
  [colors.noData, colors.nan, colors.infinite, colors.free].forEach((color, index) => {
    ground[index + 1] = packed(color);
  });
  [colors.noDataMark, colors.nanMark, colors.infiniteMark, colors.freeMark].forEach(
    (color, index) => {
      mark[index + 1] = packed(color);
    },
  );
  const [height, width] = [down.length, across.length];
  const pixels = new Uint32Array(width * height);
  const shade = range ? shadesOf(grid, range, colors) : levelShades(grid, colors);
  const side = PERIOD * unit;
  const marked = patterns(unit);
  for (let y = 0, at = 0; y < height; y += 1) {
    const line = (y % side) * side;
    const from = down[y] * grid.width;
    for (let x = 0; x < width; x += 1, at += 1) {
      const cell = from + across[x];
      const code = codes[cell];
      if (code === VALUE) pixels[at] = shade[cell];
      else pixels[at] = marked[code * side * side + line + (x % side)] ? mark[code] : ground[code];
    }
  }
  return pixels;
}

/**
 * The color of each cell that holds a value; 0 for the others.
 *
 * @param {Grid} grid
 * @param {ColorRange} range
 * @param {HeatColors} colors
 * @returns {Uint32Array} `[grid.height * grid.width]`
 */
function shadesOf({ values, codes }, range, { diverging }) {
  const position = positionIn(range);
  const table = range.difference || range.diverging ? shades(diverging) : SEQUENTIAL;
  const found = new Uint32Array(values.length);
  for (let at = 0; at < values.length; at += 1) {
    if (codes[at] === VALUE)
      found[at] = table[Math.round(position(values[at]) * (table.length - 1))];
  }
  return found;
}

/**
 * The same for distances from limits: five steps to a side, so that crossing a limit is an edge.
 *
 * @param {Grid} grid
 * @param {HeatColors} colors
 */
function levelShades({ values, codes }, { levels }) {
  const table = levels.map(packed);
  const found = new Uint32Array(values.length);
  for (let at = 0; at < values.length; at += 1) {
    if (codes[at] === VALUE) found[at] = table[levelOf(values[at]) + 4];
  }
  return found;
}
