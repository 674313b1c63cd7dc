/**
 * The x axis that all charts over time share.
 *
 * @import { LineProps } from "../charts/line.js"
 * @import { Placement } from "../data/axes.js"
 * @import { XAxis } from "../types.js"
 */
import { formatClock, formatDuration, formatStep, formatStepShort } from "../format/steps.js";

/**
 * @typedef {object} Axis  The x axis that all charts over time share.
 * @property {LineProps["kind"]} kind
 * @property {"step" | "epoch"} unit  What steps are called.
 * @property {(x: number) => string} tick
 * @property {(x: number) => string} full
 * @property {(step: number) => number} fromStep
 * @property {(x: number) => number} toStep
 * @property {boolean} shared  Whether steps of layers have a place on it.
 */

/** @type {Record<XAxis, LineProps["kind"]>} */
const KINDS = { step: "count", relative: "duration", wall: "clock" };

/**
 * Whether what counts steps has a place on the axis: on one of time, where records say when they were
 * made.
 *
 * @param {XAxis} x
 * @param {Placement} placement
 */
export function sharesSteps(x, placement) {
  return x === "step" ? !placement.epochs : Number.isFinite(placement.fromStep(0));
}

/**
 * @param {XAxis} x
 * @param {Placement} placement
 * @param {number} width  Of what is in view.
 * @param {boolean} shared
 * @returns {Axis}
 */
export function axisOf(x, { epochs, fromStep, toStep }, width, shared) {
  /** @type {Axis["unit"]} */
  const unit = epochs ? "epoch" : "step";
  const rest = { unit, fromStep, toStep, shared };
  if (x === "relative") {
    return { kind: KINDS[x], tick: formatDuration, full: formatDuration, ...rest };
  }
  if (x === "wall") {
    const clock = (/** @type {number} */ value) => formatClock(value, width);
    return { kind: KINDS[x], tick: clock, full: clock, ...rest };
  }
  const full = (/** @type {number} */ at) => `${rest.unit} ${formatStep(Math.round(at))}`;
  return { kind: KINDS[x], tick: formatStepShort, full, ...rest };
}

/**
 * Where cells lie on the axis. A clock says nothing beyond its last record: the last cell is then as
 * wide as the one before.
 *
 * @param {Float64Array} edges  `[cells + 1]`, steps.
 * @param {Pick<Placement, "fromStep">} placement
 * @returns {Float64Array}
 */
export function edgesOn(edges, { fromStep }) {
  const placed = edges.map(fromStep);
  const last = placed.length - 1;
  if (last > 1 && !(placed[last] > placed[last - 1])) {
    placed[last] = placed[last - 1] + (placed[last - 1] - placed[last - 2] || 1);
  }
  return placed;
}
