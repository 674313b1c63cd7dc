/**
 * The plane as a surface that can be turned: quadrilaterals drawn from back to front, on a canvas,
 * so that it needs no WebGL. Height is the logarithm of the loss.
 *
 * @import { Colors } from "./colors.js"
 * @import { Scale } from "./scale.js"
 * @import { Place, Plane, Turn } from "./types.js"
 */
import { dot } from "./contour.js";
import { lossBetween, positionOn, valueAt } from "./grid.js";
import { colorIndex, heightOf } from "./scale.js";

/** @type {Readonly<Turn>} */
export const FIRST_TURN = { yaw: -0.6, pitch: 0.62, zoom: 1 };
const TALL = 0.85;
const FLATTEST = 0.05;
const STEEPEST = 1.5;

/**
 * A turn within bounds: not from below, not out of sight.
 *
 * @param {Turn} turn
 * @returns {Turn}
 */
export function bounded({ yaw, pitch, zoom }) {
  return {
    yaw: ((yaw + 3 * Math.PI) % (2 * Math.PI)) - Math.PI,
    pitch: Math.min(STEEPEST, Math.max(FLATTEST, pitch)),
    zoom: Math.min(4, Math.max(0.5, zoom)),
  };
}

/**
 * Projects points of the box [-1, 1] x [-1, 1] x [0, 1] onto a canvas.
 *
 * @param {Turn} turn
 * @param {number} width
 * @param {number} height
 * @returns {(x: number, y: number, z: number) => [number, number, number]} Pixel and depth; larger
 *     is nearer.
 */
export function projection({ yaw, pitch, zoom }, width, height) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const size = (Math.min(width, height) / 3) * zoom;
  return (x, y, z) => {
    const [right, back] = [x * cy - y * sy, x * sy + y * cy];
    const up = (z - 0.5) * TALL;
    return [
      width / 2 + right * size,
      height / 2 - (back * sp + up * cp * 1.3) * size,
      -back * cp + up * sp,
    ];
  };
}

/**
 * Corners of the grid's cells, from back to front.
 *
 * @param {Plane} plane
 * @param {(x: number, y: number, z: number) => [number, number, number]} project
 * @param {Scale} scale
 * @returns {{corners: [number, number, number][], depth: number, loss: number | null}[]}
 */
export function facesOf(plane, project, scale) {
  const y = /** @type {number[]} */ (plane.y);
  const [n, m] = [plane.x.length, y.length];
  const point = (/** @type {number} */ i, /** @type {number} */ j) =>
    project(
      (2 * i) / (n - 1) - 1,
      (2 * j) / (m - 1) - 1,
      heightOf(valueAt(plane, { i, j }), scale),
    );
  const faces = [];
  for (let i = 0; i < n - 1; i += 1) {
    for (let j = 0; j < m - 1; j += 1) {
      const at = [
        [i, j],
        [i + 1, j],
        [i + 1, j + 1],
        [i, j + 1],
      ];
      const corners = at.map(([a, b]) => point(a, b));
      const losses = at.map(([a, b]) => valueAt(plane, { i: a, j: b }));
      const known = losses.every((loss) => loss !== null);
      const mean = losses.reduce((sum, loss) => (sum ?? 0) + (loss ?? 0), 0);
      faces.push({
        corners,
        depth: corners.reduce((sum, corner) => sum + corner[2], 0),
        loss: known ? /** @type {number} */ (mean) / 4 : null,
      });
    }
  }
  return faces.sort((a, b) => a.depth - b.depth);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plane} plane
 * @param {{width: number, height: number, turn: Turn, scale: Scale, colors: Colors, cursor: Place | null}} how
 */
export function drawSurface(context, plane, { width, height, turn, scale, colors, cursor }) {
  const project = projection(turn, width, height);
  drawFloor(context, project, colors);
  context.lineWidth = 0.6;
  context.strokeStyle = colors.edge;
  for (const { corners, loss } of facesOf(plane, project, scale)) {
    context.fillStyle = loss === null ? colors.unknown : colors.loss[colorIndex(loss, scale)];
    context.beginPath();
    corners.forEach(([left, top], at) => {
      if (at) context.lineTo(left, top);
      else context.moveTo(left, top);
    });
    context.closePath();
    context.fill();
    context.stroke();
  }
  drawRoute(context, plane, project, scale, colors);
  if (cursor && plane.y) {
    const spot = onSurface(plane, plane.x[cursor.i], plane.y[cursor.j], project, scale);
    if (spot) dot(context, spot, colors.plate, colors.ink);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {(x: number, y: number, z: number) => [number, number, number]} project
 * @param {Colors} colors
 */
function drawFloor(context, project, colors) {
  context.strokeStyle = colors.grid;
  context.lineWidth = 1;
  context.beginPath();
  [
    [-1, -1],
    [1, -1],
    [1, 1],
    [-1, 1],
  ].forEach(([x, y], at) => {
    const [left, top] = project(x, y, 0);
    if (at) context.lineTo(left, top);
    else context.moveTo(left, top);
  });
  context.closePath();
  context.stroke();
}

/**
 * The path as it lies on the surface. It is drawn over all of it, so that no hill hides it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Plane} plane
 * @param {(x: number, y: number, z: number) => [number, number, number]} project
 * @param {Scale} scale
 * @param {Colors} colors
 */
function drawRoute(context, plane, project, scale, colors) {
  const { path } = plane;
  const spots = (path ? path.x.map((x, at) => [x, path.y[at]]) : [[0, 0]])
    .map(([x, y]) => onSurface(plane, x, y, project, scale))
    .filter((spot) => spot !== null);
  if (!spots.length) return;
  for (const [color, thick] of /** @type {const} */ ([
    [colors.plate, 4],
    [colors.path, 2],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = thick;
    context.beginPath();
    spots.forEach(([left, top], at) => {
      if (at) context.lineTo(left, top);
      else context.moveTo(left, top);
    });
    context.stroke();
  }
  if (path) dot(context, spots[0], colors.plate, colors.path);
  dot(context, spots[spots.length - 1], colors.path, colors.plate);
}

/**
 * @param {Plane} plane
 * @param {number} x
 * @param {number} y
 * @param {(x: number, y: number, z: number) => [number, number, number]} project
 * @param {Scale} scale
 * @returns {[number, number] | null} null outside the surface.
 */
function onSurface(plane, x, y, project, scale) {
  const loss = lossBetween(plane, x, y);
  if (loss === null || !plane.y) return null;
  const [left, top] = project(
    2 * positionOn(plane.x, x) - 1,
    2 * positionOn(plane.y, y) - 1,
    heightOf(loss, scale),
  );
  return [left, top];
}
