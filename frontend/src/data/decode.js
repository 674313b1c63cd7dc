/**
 * Decodes the binary heat map of docs/http_api.md, section `heatmap`.
 *
 * @import { Heat, HeatHeader, Step } from "../types.js"
 */
import { stepNumber } from "../format/steps.js";

/** Codes of a cell. */
export const VALUE = 0;
export const NO_DATA = 1;
export const NAN = 2;
export const INFINITE = 3;
/** The server sends none of these: the cell's row has no limit to be held against. */
export const NO_LIMIT = 4;

const MAX_HEADER_BYTES = 4_000_000;

/**
 * `uint32` length, that many bytes of JSON, zero padding to a multiple of 4, `float32[R * W]`,
 * `uint8[R * W]`; all little-endian.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Heat}
 * @throws {Error} The bytes do not have this form.
 */
export function decodeHeat(buffer) {
  if (buffer.byteLength < 4) throw new Error("heat map reply is empty");
  const length = new DataView(buffer).getUint32(0, true);
  if (length > MAX_HEADER_BYTES || 4 + length > buffer.byteLength) {
    throw new Error(`heat map header of ${length} bytes in a reply of ${buffer.byteLength}`);
  }
  const text = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 4, length));
  const header = /** @type {HeatHeader} */ (JSON.parse(text));
  const { rows, cells } = header;
  const count = rows * cells;
  const start = Math.ceil((4 + length) / 4) * 4;
  if (!isCount(rows) || !isCount(cells) || start + count * 5 !== buffer.byteLength) {
    throw new Error(`heat map of ${rows} x ${cells} cells in ${buffer.byteLength} bytes`);
  }
  if (!areSteps(header.first_steps, cells) || !areSteps(header.last_steps, cells)) {
    throw new Error("heat map does not name the steps of its cells");
  }
  const edges = cellEdges(header.first_steps, header.last_steps);
  const values = floats(buffer, start, count);
  const codes = new Uint8Array(buffer, start + count * 4, count);
  const ends = [header.minimum, header.maximum];
  if (
    edges.some((edge, index) => edge < edges[index - 1]) ||
    !areCells(values, codes, header.scale === "log10") ||
    ends.some((end) => end !== null && !Number.isFinite(end))
  ) {
    throw new Error("heat map contains invalid codes");
  }
  return { header, rows, cells, edges, values, codes };
}

/**
 * A plain loop, four cells at a time while all of them hold values: there may be a million cells,
 * and the map waits for it.
 *
 * @param {Float32Array} values
 * @param {Uint8Array} codes  From a multiple of 4 on in their buffer.
 * @param {boolean} infinite  Whether a value may be: how many times more than nothing is there?
 */
function areCells(values, codes, infinite) {
  const fours = new Uint32Array(codes.buffer, codes.byteOffset, codes.length >> 2);
  for (let four = 0, at = 0; at < codes.length; four += 1, at += 4) {
    // A number less itself is 0, unless it is not finite.
    const off =
      values[at] -
      values[at] +
      (values[at + 1] - values[at + 1]) +
      (values[at + 2] - values[at + 2]) +
      (values[at + 3] - values[at + 3]);
    if (fours[four] === 0 && off === 0) continue;
    for (let one = at; one < Math.min(at + 4, codes.length); one += 1) {
      const [code, value] = [codes[one], values[one]];
      const no = infinite ? Number.isNaN(value) : !Number.isFinite(value);
      if (code === VALUE ? no : code > INFINITE) return false;
    }
  }
  return true;
}

/** @param {unknown} value */
function isCount(value) {
  return Number.isInteger(value) && Number(value) >= 0;
}

/**
 * @param {unknown} steps
 * @param {number} cells
 */
function areSteps(steps, cells) {
  return (
    Array.isArray(steps) &&
    steps.length === cells &&
    steps.every((step) =>
      typeof step === "number" ? Number.isFinite(step) : /^-?\d{1,19}$/.test(step),
    )
  );
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number} start
 * @param {number} count
 */
function floats(buffer, start, count) {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) {
    return new Float32Array(buffer, start, count);
  }
  const view = new DataView(buffer, start);
  return Float32Array.from({ length: count }, (_, index) => view.getFloat32(index * 4, true));
}

/**
 * Where cells lie on the step axis: each reaches to where the next begins, the last one as far
 * beyond its last step as records are apart (at least one step).
 *
 * @param {Step[]} first `[cells]`
 * @param {Step[]} last `[cells]`
 * @returns {Float64Array} `[cells + 1]`, increasing; empty for no cells.
 */
export function cellEdges(first, last) {
  if (first.length === 0) return new Float64Array(0);
  const edges = new Float64Array(first.length + 1);
  for (let index = 0; index < first.length; index += 1) edges[index] = stepNumber(first[index]);
  const end = stepNumber(last[last.length - 1]);
  const gaps = [];
  for (let index = 1; index < first.length; index += 1) {
    gaps.push(edges[index] - stepNumber(last[index - 1]));
  }
  gaps.sort((a, b) => a - b);
  edges[first.length] = end + Math.max(1, gaps[gaps.length >> 1] ?? 1);
  return edges;
}

/**
 * Index of the cell that holds `step`; clamped to the ends; -1 without cells.
 *
 * @param {Float64Array} edges
 * @param {number} step
 */
export function cellAt(edges, step) {
  const cells = edges.length - 1;
  if (cells < 1) return -1;
  let low = 0;
  let high = cells - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle] <= step) low = middle;
    else high = middle - 1;
  }
  return low;
}
