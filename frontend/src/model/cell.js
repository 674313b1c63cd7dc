/**
 * What stands beside the pointer on the heat map, of one cell.
 *
 * @import { Cell } from "../charts/heat_tip.js"
 * @import { Health } from "../charts/health.js"
 * @import { Place } from "../charts/heat.js"
 * @import { Band, Heat, Metric, Row } from "../types.js"
 */
import { cellAt, INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { formatShape, fullName, spelledOut, visible } from "../format/names.js";
import { formatNumber, formatValue, isFraction } from "../format/numbers.js";
import { formatStepRange } from "../format/steps.js";

/** Points of the preview's curve, at most. */
const POINTS = 160;

/**
 * @param {Heat} heat
 * @param {Row[]} rows
 * @param {Metric} metric
 * @param {Health | null} health
 * @param {Float64Array} edges  `[cells + 1]`, on the x axis.
 * @param {[number, number]} extent  Of the x axis, in view.
 * @returns {(place: Place) => Cell}
 */
export function cellsOf(heat, rows, metric, health, edges, extent) {
  return (place) => {
    const { row, cell } = place;
    const band = health?.bands[row] ?? null;
    const [low, high] = extent.map((x) => cellAt(edges, x));
    return {
      name: fullName(spelledOut(rows[row].name)),
      where: steps(heat, cell),
      title: metric.title,
      value: written(heat, metric, place),
      notes: [...limitNote(heat, metric, health, place), ...beforeNote(heat, metric, place)],
      curve: curveOf(heat, metric, band, place, low, high),
      about: aboutRow(rows, row),
    };
  };
}

/** @param {Heat} heat @param {number} cell */
function steps({ header }, cell) {
  return formatStepRange(header.first_steps[cell], header.last_steps[cell]);
}

/**
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {Place} place
 */
function written(heat, metric, { row, cell }) {
  const at = row * heat.cells + cell;
  const value = heat.values[at];
  const finite = Number.isNaN(value) ? "" : `, finite part ${formatValue(value, metric)}`;
  const code = heat.codes[at];
  if (code === NAN) return `NaN${finite}`;
  if (code === INFINITE) return `infinite${finite}`;
  return code === NO_DATA ? "no data" : formatValue(value, metric);
}

/**
 * How far the value is from the limits of its row.
 *
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {Health | null} health
 * @param {Place} place
 */
function limitNote(heat, metric, health, { row, cell }) {
  if (!health) return [];
  const band = health.bands[row];
  if (!band) return ["no limit applies to this row"];
  const at = row * heat.cells + cell;
  return heat.codes[at] === VALUE ? [limitWords(heat.values[at], band, metric)] : [];
}

/**
 * "above its limit of 0.1 (10,870 times it)"; "below its limit of 1e-4 (1/157 of it)"; "within
 * 1e-4 – 0.1".
 *
 * @param {number} value
 * @param {Band} band
 * @param {{name: string, unit: string, scale: string}} metric
 */
export function limitWords(value, { low, high }, metric) {
  const write = (/** @type {number} */ limit) => formatValue(limit, metric);
  const counted = !isFraction(metric);
  if (high !== null && value > high) {
    const times = counted && high > 0 ? ` (${formatTimesOf(value / high)} times it)` : "";
    return `above its limit of ${write(high)}${times}`;
  }
  if (low !== null && value < low) {
    const part = counted && value > 0 ? ` (1/${formatTimesOf(low / value)} of it)` : "";
    return `below its limit of ${write(low)}${part}`;
  }
  if (low !== null && low > 0 && high !== null) return `within ${write(low)} – ${write(high)}`;
  return high === null
    ? `at least its limit of ${write(low ?? 0)}`
    : `within its limit of ${write(high)}`;
}

/** @param {number} times Above 1, and never said to be 1. */
export function formatTimesOf(times) {
  if (times < 1.01) return "1.01";
  const digits = times < 2 ? 3 : 2;
  return formatNumber(times < 10 ? Number(times.toPrecision(digits)) : Math.round(times));
}

/**
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {Place} place
 */
function beforeNote(heat, metric, { row, cell }) {
  if (cell === 0) return [];
  const { first_steps: first, last_steps: last } = heat.header;
  const single = first[cell - 1] === last[cell - 1];
  const value = written(heat, metric, { row, cell: cell - 1 });
  return [`${value} ${single ? "one record before" : `at ${steps(heat, cell - 1)}`}`];
}

/**
 * The row's curve over the cells `low` to `high`; of cells that share a point the worst.
 *
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {Band | null} band
 * @param {Place} place
 * @param {number} low
 * @param {number} high
 * @returns {Cell["curve"]}
 */
function curveOf({ values, codes, cells }, metric, band, { row, cell }, low, high) {
  if (low < 0 || high - low < 2) return null;
  const each = Math.max(1, Math.ceil((high - low + 1) / POINTS));
  const worse = metric.worst === "low" ? Math.min : Math.max;
  /** @type {(number | null)[]} */
  const y = [];
  for (let from = low; from <= high; from += each) {
    let worst = null;
    for (let at = from; at < from + each && at <= high; at += 1) {
      const index = row * cells + at;
      if (codes[index] !== VALUE) continue;
      worst = worst === null ? values[index] : worse(worst, values[index]);
    }
    y.push(worst);
  }
  if (y.every((value) => value === null)) return null;
  const log = metric.scale === "log10";
  const limits = { low: band?.low ?? null, high: band?.high ?? null };
  return { y, at: Math.floor((cell - low) / each), ...limits, log };
}

/** @param {Row[]} rows @param {number} row */
function aboutRow(rows, row) {
  const { shape, activation, initializer } = rows[row];
  const facts = [`${row + 1} of ${rows.length}`, formatShape(shape), activation, initializer];
  return facts.filter(Boolean).map(visible).join(" · ");
}
