/**
 * How the entries of a tensor are spread over steps, as nested bands: from logged histograms, or
 * from what single statistics allow where there are none.
 *
 * @import { SignedScale } from "../charts/signed_scale.js"
 * @import { Histogram, LayerReply, Step } from "../types.js"
 */
import { signedScale } from "../charts/signed_scale.js";
import { formatPercent } from "../format/numbers.js";
import { corruptionOf } from "./corruption.js";
import { cellEdges, INFINITE, NAN, NO_DATA, VALUE } from "./decode.js";

/**
 * @typedef {object} Band
 * @property {string} name
 * @property {(number | null)[]} low  `[cells]`
 * @property {(number | null)[]} high
 *
 * @typedef {object} BandData
 * @property {string} id
 * @property {string} title
 * @property {boolean} recorded  Whether histograms were logged of it.
 * @property {number} records
 * @property {"step" | "epoch"} axis
 * @property {Band[]} bands  The widest first.
 * @property {number[]} codes  `[cells]`, as in a heat map.
 * @property {Step[]} first  `[cells]`
 * @property {Step[]} last
 * @property {Float64Array} edges  `[cells + 1]`
 * @property {SignedScale} scale
 * @property {number | null} steady  What all entries are at all records; null where they differ.
 */

const TITLES = {
  magnitude: "Absolute gradient entries",
  gradient: "Gradient entries",
  variable: "Weights",
};

/**
 * @param {Histogram} histogram
 * @returns {BandData}
 */
export function recordedBands(histogram) {
  const { of, axis, records, first_steps: first, last_steps: last, codes } = histogram;
  const bands = histogram.bands.map(({ share, low, high }) => ({
    name: shareName(share),
    low,
    high,
  }));
  const data = { id: of, title: TITLES[of], recorded: true, records, axis, bands, codes };
  return finished(data, first, last);
}

/** @param {number} share */
function shareName(share) {
  if (share === 1) return "all";
  if (share === 0.5) return "half";
  return share === 0 ? "median" : formatPercent(share);
}

/**
 * What norm, mean, spread and largest entry allow: no more is known of the entries.
 *
 * @param {LayerReply} reply
 * @returns {BandData[]}
 */
export function allowedBands(reply) {
  if (!reply.exact) return [];
  const column = (/** @type {string} */ name) => reply.columns.find((one) => one.name === name);
  const entries = reply.row.shape.reduce((product, size) => product * size, 1);
  const found = [];
  const largest = column("gradient_max");
  const norm = column("gradient_norm");
  if (largest && norm && entries > 0) {
    const root = Math.sqrt(entries);
    const square = norm.low.map((value) => (value === null ? null : value / root));
    const bands = [
      around("± largest", null, largest.low),
      around("± root mean square", null, square),
    ];
    found.push(allowed("gradient", TITLES.gradient, bands, reply));
  }
  for (const [of, title] of /** @type {const} */ ([
    ["variable", "Weights"],
    ["activation", "Outputs"],
  ])) {
    const [mean, spread] = [column(`${of}_mean`), column(`${of}_std`)];
    if (!mean || !spread) continue;
    const most = column(`${of}_max_abs`);
    const inner = around("mean ± std", mean.low, spread.low);
    const bands = most ? [around("± largest", null, most.low), inner] : [inner];
    const range = of === "activation" && RANGES.get(reply.row.activation);
    const held = range && mean.low.every((value) => value === null || isIn(value, range));
    found.push(allowed(of, title, held ? bands.map((band) => within(band, range)) : bands, reply));
  }
  return found;
}

/**
 * @param {string} name
 * @param {(number | null)[] | null} middle null: around zero.
 * @param {(number | null)[]} reach
 * @returns {Band}
 */
function around(name, middle, reach) {
  const end = (/** @type {number} */ sign) =>
    reach.map((value, index) => {
      const center = middle ? middle[index] : 0;
      return value === null || center === null ? null : center + sign * value;
    });
  return { name, low: end(-1), high: end(1) };
}

/** What an activation can put out. @type {Map<string, [number, number]>} */
const RANGES = new Map([
  ["relu", [0, Infinity]],
  ["relu6", [0, 6]],
  ["softplus", [0, Infinity]],
  ["sigmoid", [0, 1]],
  ["hard_sigmoid", [0, 1]],
  ["softmax", [0, 1]],
  ["tanh", [-1, 1]],
  ["softsign", [-1, 1]],
]);

/**
 * Whether a mean may be of such outputs, but for rounding; else a layer does more than its activation.
 *
 * @param {number} mean
 * @param {[number, number]} range
 */
function isIn(mean, [least, most]) {
  return mean > least - 1e-3 && mean < most + 1e-3;
}

/**
 * @param {Band} band
 * @param {[number, number]} range
 * @returns {Band}
 */
function within({ name, low, high }, [least, most]) {
  const cut = (/** @type {number | null} */ value) =>
    value === null ? null : Math.min(most, Math.max(least, value));
  const shown = least < 0 ? name : name.replace("± largest", "0 to largest");
  return { name: shown, low: low.map(cut), high: high.map(cut) };
}

/**
 * @param {string} of
 * @param {string} title
 * @param {Band[]} bands
 * @param {LayerReply} reply
 */
function allowed(of, title, bands, reply) {
  const corrupt = corruptionOf(reply.columns, of);
  const codes = reply.steps.map((_step, index) => {
    const kind = corrupt(index);
    if (kind) return kind === "NaN" ? NAN : INFINITE;
    return bands.some((band) => band.low[index] !== null) ? VALUE : NO_DATA;
  });
  const records = reply.steps.length;
  const data = { id: of, title, recorded: false, records, axis: reply.axis, bands, codes };
  return finished(data, reply.steps, reply.steps);
}

/**
 * @param {Omit<BandData, "first" | "last" | "edges" | "scale" | "steady">} data
 * @param {Step[]} first
 * @param {Step[]} last
 * @returns {BandData}
 */
function finished(data, first, last) {
  const edges = cellEdges(first, last);
  return { ...data, first, last, edges, scale: scaleOf(data.bands), steady: steadyOf(data) };
}

/**
 * @param {Pick<BandData, "recorded" | "bands" | "codes">} data
 */
function steadyOf({ recorded, bands, codes }) {
  if (codes.some((code) => code === NAN || code === INFINITE)) return null;
  // The inner bands of a histogram leave entries out; of statistics each tells of all entries.
  for (const { low, high } of recorded ? bands.slice(0, 1) : bands) {
    const value = low.find((one) => one !== null) ?? null;
    if (value === null) continue;
    if (low.every((one, at) => one === high[at] && (one === null || one === value))) return value;
  }
  return null;
}

/** Which of the sorted sizes of the inner band counts as typical: a gradient that fades is told apart. */
const TYPICAL = 0.1;

/**
 * @param {Band[]} bands
 * @returns {SignedScale}
 */
function scaleOf(bands) {
  let [low, high] = [Infinity, -Infinity];
  for (const band of bands) {
    for (const value of band.low) if (value !== null) low = Math.min(low, value);
    for (const value of band.high) if (value !== null) high = Math.max(high, value);
  }
  const inner = bands.find((band) => band.name === "half") ?? bands[bands.length - 1];
  const sizes = inner.low
    .map((value, index) => Math.max(Math.abs(value ?? 0), Math.abs(inner.high[index] ?? 0)))
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  return signedScale(low, high, sizes[Math.floor(sizes.length * TYPICAL)] ?? 0);
}
