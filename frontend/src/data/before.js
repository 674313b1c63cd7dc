/**
 * What changed just before a finding began: five curves of the run around its onset, and how far each
 * moved, the largest relative change first. No drawing here.
 *
 * @import { Band, Group, Heat, Series } from "../types.js"
 */
import { stepNumber } from "../format/steps.js";
import { cellAt, VALUE } from "./decode.js";

/**
 * @typedef {object} Move  The change that is told: from one record to a later one.
 * @property {number} from  Index into `steps`.
 * @property {number} to
 * @property {number} before
 * @property {number} after  NaN or infinite where it became so.
 * @property {number} orders  log10 of how many times it is; infinite where it became not finite.
 *
 * @typedef {object} Change
 * @property {string} id
 * @property {string} label
 * @property {string | null} layer  Whose curve it is.
 * @property {number[]} steps  `[n]`
 * @property {(number | null)[]} values  `[n]`; null for what is not finite.
 * @property {(number | null)[] | null} low  `[n]`, smallest between records.
 * @property {(number | null)[] | null} high
 * @property {Band | null} limits
 * @property {Move | null} move  null: constant.
 * @property {number} index  Of the onset in `steps`.
 *
 * @typedef {object} Before
 * @property {[number, number]} span  Steps that all curves share.
 * @property {number} onset
 * @property {number | null} previous  The record before it; null where it begins with the run.
 * @property {Change[]} changes
 */

/** Records shown to each side of the onset. */
const AROUND = 8;
/** A change elsewhere is told in place of the one at the onset if it is this many times as large. */
const LARGER = 2;
/** Relative changes below this are none: the last bits of a rate. */
const LEAST = 1e-5;

/**
 * @param {Series[]} series
 * @param {{ratio: Heat | null, scale: Heat | null}} maps  Update ratio of weights; size of inputs.
 * @param {Group[]} groups
 * @param {number} onset  A step.
 * @param {string[]} layers  Those that the finding names.
 * @returns {Before | null} null where the run has no loss by steps.
 */
export function changesBefore(series, { ratio, scale }, groups, onset, layers) {
  const loss = series.find((one) => one.name === "loss" && one.axis !== "epoch");
  if (!loss || loss.steps.length < 2 || !Number.isFinite(onset)) return null;
  const steps = loss.steps.map(stepNumber);
  const at = lastAtOrBefore(steps, onset);
  const from = steps[Math.max(0, at - AROUND)];
  const to = steps[Math.min(steps.length - 1, at + AROUND)];
  /** @type {[number, number]} */
  const span = [from, to > from ? to : from + 1];
  const named = (/** @type {string} */ name) => series.find((one) => one.name === name);
  const changes = [
    ofSeries(loss, "Loss", span, onset, [named("window_loss_min"), named("window_loss_max")]),
    ofSeries(named("learning_rate"), "Learning rate", span, onset),
    ofSeries(named("gradient_global_norm"), "Gradient norm", span, onset),
    ofRow(ratio, groups, "Update ratio", span, onset, layers),
    ofRow(scale, groups, "Input size", span, onset, []),
  ].filter((one) => one !== null);
  changes.sort((a, b) => size(b) - size(a));
  return { span, onset, previous: at > 0 ? steps[at - 1] : null, changes };
}

/** @param {Change} change */
function size({ move }) {
  return move === null ? -1 : Math.abs(move.orders);
}

/** @param {number[]} steps Increasing. @param {number} step */
function lastAtOrBefore(steps, step) {
  let found = 0;
  steps.forEach((one, index) => {
    if (one <= step) found = index;
  });
  return found;
}

/**
 * @param {Series | undefined} series
 * @param {string} label
 * @param {[number, number]} span
 * @param {number} onset
 * @param {(Series | undefined)[]} [extremes]  Smallest and largest of the steps between records.
 * @returns {Change | null}
 */
function ofSeries(series, label, span, onset, extremes = []) {
  if (!series || series.axis === "epoch") return null;
  const all = series.steps.map(stepNumber);
  const bad = new Map(series.nonfinite);
  const kept = all.flatMap((step, index) => (step >= span[0] && step <= span[1] ? [index] : []));
  if (kept.length < 2) return null;
  const steps = kept.map((index) => all[index]);
  const values = kept.map((index) => (bad.has(index) ? null : series.values[index]));
  const read = (/** @type {number} */ at) => {
    const kind = bad.get(kept[at]);
    return kind ? Number(kind) : series.values[kept[at]];
  };
  const [low, high] = extremes.map((one) => (one ? alongside(one, steps) : null));
  const index = lastAtOrBefore(steps, onset);
  const rest = { id: series.name, label, layer: null, limits: null, index };
  const move = moveOf(
    steps.map((_, at) => read(at)),
    index,
  );
  return { ...rest, steps, values, low: low ?? null, high: high ?? null, move };
}

/**
 * Another series' values at the same steps.
 *
 * @param {Series} series
 * @param {number[]} wanted
 */
function alongside({ steps, values, nonfinite }, wanted) {
  const bad = new Set(nonfinite.map(([index]) => index));
  const found = new Map(
    steps.map((step, at) => [stepNumber(step), bad.has(at) ? null : values[at]]),
  );
  return wanted.map((step) => found.get(step) ?? null);
}

/**
 * The row of a map that is furthest from its limits at the onset, those of the finding first; without
 * limits, the largest.
 *
 * @param {Heat | null} heat
 * @param {Group[]} groups
 * @param {string} label
 * @param {[number, number]} span
 * @param {number} onset
 * @param {string[]} layers
 * @returns {Change | null}
 */
function ofRow(heat, groups, label, span, onset, layers) {
  const group = heat && groups.find((one) => one.group === heat.header.group);
  if (!heat || !group || heat.cells < 2 || group.rows.length !== heat.rows) return null;
  const cell = cellAt(heat.edges, onset);
  const row = worstRow(heat, group, cell, layers);
  if (row < 0) return null;
  const first = Math.max(0, cellAt(heat.edges, span[0]));
  const last = cellAt(heat.edges, span[1]);
  const cells = Array.from({ length: last - first + 1 }, (_, at) => first + at);
  if (cells.length < 2) return null;
  const read = (/** @type {number} */ at) => {
    const code = heat.codes[row * heat.cells + at];
    return code === VALUE ? heat.values[row * heat.cells + at] : code === 1 ? null : Number.NaN;
  };
  const steps = cells.map((at) => heat.edges[at]);
  const all = cells.map(read);
  const values = all.map((value) => (value !== null && Number.isFinite(value) ? value : null));
  const place = heat.header.row_bands?.[row] ?? -1;
  const index = Math.max(0, cells.indexOf(cell));
  const { metric } = heat.header;
  const rest = {
    id: metric,
    label,
    layer: group.rows[row].layer,
    limits: heat.header.bands?.[place] ?? null,
  };
  return { ...rest, steps, values, low: null, high: null, index, move: moveOf(all, index) };
}

/**
 * @param {Heat} heat
 * @param {Group} group
 * @param {number} cell
 * @param {string[]} layers
 */
function worstRow(heat, { rows }, cell, layers) {
  const judged = heat.header.row_bands ?? [];
  const named = new Set(layers);
  let [best, most] = [-1, Number.NEGATIVE_INFINITY];
  rows.forEach((row, index) => {
    const at = index * heat.cells + cell;
    if (judged.length > 0 && judged[index] < 0) return;
    const band = heat.header.bands?.[judged[index]];
    const value = heat.codes[at] === VALUE ? heat.values[at] : 0;
    // Times outside its limits, whichever side.
    const above = band?.high ? value / band.high : value;
    const below = band?.low && value > 0 ? band.low / value : 0;
    const outside = Math.max(above, below);
    const weight = outside * (named.has(row.layer) || named.has(row.name) ? 1e6 : 1);
    if (weight > most) [best, most] = [index, weight];
  });
  return best;
}

/**
 * The change that is told: the one into the onset, or a much larger one before it. Records without a
 * value are passed over.
 *
 * @param {(number | null)[]} values
 * @param {number} index  Of the onset.
 * @returns {Move | null} null where nothing moved.
 */
export function moveOf(values, index) {
  /** @type {Move | null} */
  let told = null;
  let largest = 0;
  let before = -1;
  for (let to = 0; to <= index; to += 1) {
    const [value, last] = [values[to], before < 0 ? null : values[before]];
    if (value === null || Number.isNaN(last)) continue;
    if (last !== null && last !== undefined) {
      const move = { from: before, to, before: last, after: value, orders: ordersOf(last, value) };
      const far = Math.abs(move.orders);
      if (far > LEAST && (to === index ? far * LARGER >= largest : far > largest)) {
        told = move;
        largest = far;
      }
    }
    before = to;
  }
  return told;
}

/** @param {number} from @param {number} to */
function ordersOf(from, to) {
  if (!Number.isFinite(to)) return Number.POSITIVE_INFINITY;
  if (from === to) return 0;
  if (from === 0 || to === 0 || from < 0 !== to < 0) {
    const most = Math.max(Math.abs(from), Math.abs(to));
    return to > from ? Math.log10(1 + most) : -Math.log10(1 + most);
  }
  return Math.log10(Math.abs(to) / Math.abs(from));
}
