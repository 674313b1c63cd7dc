/**
 * The state of a row in one sentence: which of its statistics is outside its limits most often, how
 * often that was, and where it stands at the selected step.
 *
 * @import { Column, LayerReply } from "../types.js"
 */
import { distanceOf } from "../charts/health.js";
import { isFraction } from "../format/numbers.js";
import { stepNumber } from "../format/steps.js";
import { corruptionOf } from "./corruption.js";

/**
 * @typedef {object} LayerState
 * @property {Column | null} column  The statistic that is outside most often; null: all are within.
 * @property {"above" | "below" | "outside"} side  Of its limits, over all records.
 * @property {number} count  Records outside.
 * @property {number} total  Records with a value.
 * @property {number | null} value  At the selected step, or the last record before it.
 * @property {number | null} at  The step of that record.
 * @property {boolean} lost  Whether the row ends in values that are not finite.
 */

/**
 * @param {LayerReply} reply
 * @param {number | null} step
 * @returns {LayerState | null} null where no rule declares limits for any of its statistics.
 */
export function layerState(reply, step) {
  const judged = reply.columns.filter((column) => column.healthy !== null);
  if (judged.length === 0) return null;
  const found = judged.map((column) => outside(column));
  // What is outside most of the time says more than what was far outside once.
  const often = (/** @type {{count: number, total: number}} */ one) => one.count / (one.total || 1);
  const worst = found.reduce((a, b) =>
    often(b) > often(a) || (often(b) === often(a) && b.far > a.far) ? b : a,
  );
  const { column, above, count, total } = worst;
  const lost = judged.some(({ name, nonfinite, low }) => {
    const last = low.length - 1;
    return (
      corruptionOf(reply.columns, name)(last) !== null || nonfinite.some(([at]) => at === last)
    );
  });
  if (count === 0) {
    const most = Math.max(...found.map((one) => one.total));
    return { column: null, side: "outside", count, total: most, value: null, at: null, lost };
  }
  const index = recordAt(column, reply, step);
  return {
    column,
    side: above === count ? "above" : above === 0 ? "below" : "outside",
    count,
    total,
    value: index < 0 ? null : column.low[index],
    at: index < 0 ? null : stepNumber(reply.steps[index]),
    lost,
  };
}

/**
 * A value known only as an interval is outside where all of the interval is.
 *
 * @param {Column} column
 */
function outside(column) {
  const { low, high, healthy } = column;
  const fraction = isFraction(column);
  let [above, count, total, far] = [0, 0, 0, 0];
  low.forEach((value, index) => {
    if (value === null || !healthy) return;
    total += 1;
    const top = high ? high[index] : value;
    const least = distanceOf(value, healthy, fraction);
    const most = top === null ? Infinity : distanceOf(top, healthy, fraction);
    if (least <= 0 && most >= 0) return;
    count += 1;
    if (least > 0) above += 1;
    far = Math.max(far, Math.min(Math.abs(least), Math.abs(most)));
  });
  return { column, above, count, total, far };
}

/**
 * The last record with a value at or before `step`; without a step, the last one; -1 without any.
 *
 * @param {Column} column
 * @param {LayerReply} reply
 * @param {number | null} step
 */
function recordAt({ low }, { steps }, step) {
  for (let index = low.length - 1; index >= 0; index -= 1) {
    if (step !== null && stepNumber(steps[index]) > step) continue;
    if (low[index] !== null) return index;
  }
  return -1;
}
