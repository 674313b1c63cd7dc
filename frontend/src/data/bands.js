/**
 * How the entries of a tensor are spread over steps, as nested bands: from logged histograms, or
 * from what single statistics allow where there are none.
 *
 * @import { SignedScale } from "../charts/signed_scale.js"
 * @import { Column, Distribution, LayerReply, Step } from "../types.js"
 */
import { signedScale } from "../charts/signed_scale.js";
import { formatPercent } from "../format/numbers.js";
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
 */

const TITLES = {
  magnitude: "Absolute gradient entries",
  gradient: "Gradient entries",
  variable: "Weights",
};

/**
 * @param {Distribution} distribution
 * @returns {BandData}
 */
export function recordedBands(distribution) {
  const { of, axis, records, first_steps: first, last_steps: last, codes } = distribution;
  const bands = distribution.bands.map(({ share, low, high }) => ({
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
    found.push(allowed(of, title, bands, reply));
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

/**
 * @param {string} of
 * @param {string} title
 * @param {Band[]} bands
 * @param {LayerReply} reply
 */
function allowed(of, title, bands, reply) {
  const marks = (/** @type {string[]} */ names) =>
    reply.columns.filter((one) => names.some((name) => one.name === `${of}_${name}`));
  const nan = marks(["nan_fraction", "nonfinite_fraction"]);
  const infinite = marks(["inf_fraction"]);
  const seen = (/** @type {Column[]} */ columns, /** @type {number} */ index) =>
    columns.some((column) => Number(column.low[index]) > 0);
  const codes = reply.steps.map((_step, index) => {
    if (seen(nan, index)) return NAN;
    if (seen(infinite, index)) return INFINITE;
    return bands.some((band) => band.low[index] !== null) ? VALUE : NO_DATA;
  });
  const records = reply.steps.length;
  const data = { id: of, title, recorded: false, records, axis: reply.axis, bands, codes };
  return finished(data, reply.steps, reply.steps);
}

/**
 * @param {Omit<BandData, "first" | "last" | "edges" | "scale">} data
 * @param {Step[]} first
 * @param {Step[]} last
 * @returns {BandData}
 */
function finished(data, first, last) {
  return { ...data, first, last, edges: cellEdges(first, last), scale: scaleOf(data.bands) };
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
