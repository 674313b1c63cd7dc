/**
 * A plane as a grid of numbers: where a coordinate lies, and what the loss is between points.
 *
 * @import { Place, Plane } from "./types.js"
 */

/**
 * The loss at a point of the grid; null where it is not finite.
 *
 * @param {Plane} plane
 * @param {Place} place
 * @param {string} [quantity]
 */
export function valueAt(plane, { i, j }, quantity = "loss") {
  return plane.values[quantity]?.[i * (plane.y?.length ?? 1) + j] ?? null;
}

/**
 * Position of a coordinate on an evenly spaced axis, as a fraction of it.
 *
 * @param {number[]} axis
 * @param {number} value
 */
export function positionOn(axis, value) {
  return (value - axis[0]) / (axis[axis.length - 1] - axis[0]);
}

/**
 * Index of the point of an axis nearest to a fraction of it.
 *
 * @param {number[]} axis
 * @param {number} part
 */
export function nearestIndex(axis, part) {
  return Math.min(axis.length - 1, Math.max(0, Math.round(part * (axis.length - 1))));
}

/**
 * The point of the grid at which the training ended.
 *
 * @param {Plane} plane
 * @returns {Place}
 */
export function endOf(plane) {
  return {
    i: nearestIndex(plane.x, positionOn(plane.x, 0)),
    j: plane.y ? nearestIndex(plane.y, positionOn(plane.y, 0)) : 0,
  };
}

/**
 * The loss anywhere in the plane, between the four points around it.
 *
 * @param {Plane} plane
 * @param {number} x
 * @param {number} y
 * @returns {number | null} null outside, and beside a loss that is not finite.
 */
export function lossBetween(plane, x, y) {
  if (!plane.y) return null;
  const u = positionOn(plane.x, x) * (plane.x.length - 1);
  const v = positionOn(plane.y, y) * (plane.y.length - 1);
  if (!(u >= 0 && v >= 0 && u <= plane.x.length - 1 && v <= plane.y.length - 1)) return null;
  const [i, j] = [
    Math.min(plane.x.length - 2, Math.floor(u)),
    Math.min(plane.y.length - 2, Math.floor(v)),
  ];
  const [a, b] = [u - i, v - j];
  const corners = [
    valueAt(plane, { i, j }),
    valueAt(plane, { i, j: j + 1 }),
    valueAt(plane, { i: i + 1, j }),
    valueAt(plane, { i: i + 1, j: j + 1 }),
  ];
  const [p, q, r, s] = corners;
  if (p === null || q === null || r === null || s === null) return null;
  return p * (1 - a) * (1 - b) + q * (1 - a) * b + r * a * (1 - b) + s * a * b;
}

/**
 * The losses along one direction through the end.
 *
 * @param {Plane} plane
 * @param {0 | 1} direction
 * @returns {{at: number[], loss: (number | null)[]}}
 */
export function sliceOf(plane, direction) {
  const end = endOf(plane);
  if (direction === 0 || !plane.y) {
    return { at: plane.x, loss: plane.x.map((_, i) => valueAt(plane, { i, j: end.j })) };
  }
  return { at: plane.y, loss: plane.y.map((_, j) => valueAt(plane, { i: end.i, j })) };
}
