/**
 * The plane from above: bands of the loss, the training's path, and a cross at the chosen point.
 *
 * @import { Colors } from "./colors.js"
 * @import { Scale } from "./scale.js"
 * @import { Place, Plane } from "./types.js"
 */
import { contours } from "d3-contour";
import { positionOn, valueAt } from "./grid.js";
import { FLOOR } from "./scale.js";

/** Where points lie on the canvas. */
export class Frame {
  /**
   * @param {Plane} plane
   * @param {number} width
   * @param {number} height
   */
  constructor(plane, width, height) {
    this.plane = plane;
    this.width = width;
    this.height = height;
  }

  /**
   * Pixel of coordinates: direction 1 to the right, direction 2 upwards.
   *
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  pixel(x, y) {
    const { plane, width, height } = this;
    return [
      positionOn(plane.x, x) * width,
      height - positionOn(/** @type {number[]} */ (plane.y), y) * height,
    ];
  }

  /**
   * Fractions of the axes at a pixel.
   *
   * @param {number} left
   * @param {number} top
   */
  parts(left, top) {
    return { x: left / this.width, y: 1 - top / this.height };
  }
}

/**
 * Polygons of the losses at or above each level, in grid units: 0 to N - 1 along both directions.
 *
 * @param {Plane} plane
 * @param {number[]} levels
 * @returns {number[][][][][]} By level: polygons, their rings, points `[x, y]`.
 */
export function bandsOf(plane, levels) {
  const y = /** @type {number[]} */ (plane.y);
  const [n, m] = [plane.x.length, y.length];
  // d3 wants rows along its second axis; what is not finite is above every level.
  /** @type {number[]} */
  const values = [];
  for (let j = 0; j < m; j += 1) {
    for (let i = 0; i < n; i += 1) {
      const loss = valueAt(plane, { i, j });
      values.push(loss === null ? 1e9 : Math.log(Math.max(FLOOR, loss)));
    }
  }
  const find = contours().size([n, m]).smooth(true);
  return levels.map((level) =>
    find.contour(values, Math.log(level)).coordinates.map((polygon) =>
      // A sample lies in the middle of d3's cell: half a step off.
      polygon.map((ring) => ring.map(([a, b]) => [a - 0.5, b - 0.5])),
    ),
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Scale} scale
 * @param {Colors} colors
 * @param {Place | null} cursor
 */
export function drawContour(context, frame, scale, colors, cursor) {
  const { plane, width, height } = frame;
  const y = /** @type {number[]} */ (plane.y);
  context.fillStyle = colors.loss[0];
  context.fillRect(0, 0, width, height);
  const step = [width / (plane.x.length - 1), height / (y.length - 1)];
  bandsOf(plane, scale.levels).forEach((polygons, at) => {
    context.fillStyle = colors.loss[at + 1];
    context.beginPath();
    for (const ring of polygons.flat()) {
      ring.forEach(([a, b], index) => {
        const [left, top] = [a * step[0], height - b * step[1]];
        if (index) context.lineTo(left, top);
        else context.moveTo(left, top);
      });
      context.closePath();
    }
    context.fill("evenodd");
    context.strokeStyle = colors.edge;
    context.lineWidth = 0.7;
    context.stroke();
  });
  drawUnknown(context, frame, colors);
  drawPath(context, frame, colors);
  if (cursor) drawCross(context, frame, colors, cursor);
}

/**
 * Stripes where the loss is not finite, or was not evaluated.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Colors} colors
 */
function drawUnknown(context, { plane, width, height }, colors) {
  const y = /** @type {number[]} */ (plane.y);
  const [w, h] = [width / (plane.x.length - 1), height / (y.length - 1)];
  context.save();
  context.beginPath();
  let some = false;
  plane.x.forEach((_, i) => {
    y.forEach((_, j) => {
      if (valueAt(plane, { i, j }) !== null) return;
      some = true;
      context.rect((i - 0.5) * w, height - (j + 0.5) * h, w, h);
    });
  });
  if (some) {
    context.clip();
    context.fillStyle = colors.unknown;
    context.fillRect(0, 0, width, height);
    context.strokeStyle = colors.unknownMark;
    context.lineWidth = 1.6;
    context.beginPath();
    for (let at = -height; at < width; at += 6) {
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
    }
    context.stroke();
  }
  context.restore();
}

/**
 * The path on a plate, hollow where it starts, solid where it ends. Without a path, the end alone.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Colors} colors
 */
function drawPath(context, frame, colors) {
  const { path } = frame.plane;
  const points = path ? path.x.map((x, at) => frame.pixel(x, path.y[at])) : [frame.pixel(0, 0)];
  for (const [color, thick] of /** @type {const} */ ([
    [colors.plate, 5],
    [colors.path, 2],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = thick;
    context.lineJoin = "round";
    context.beginPath();
    points.forEach(([left, top], at) => {
      if (at) context.lineTo(left, top);
      else context.moveTo(left, top);
    });
    context.stroke();
  }
  const end = points[points.length - 1];
  dot(context, end, colors.path, colors.plate);
  if (!path) return label(context, frame, end, "end", colors);
  dot(context, points[0], colors.plate, colors.path);
  label(context, frame, points[0], `start, step ${path.steps[0].toLocaleString("en")}`, colors);
  label(context, frame, end, `end, step ${path.steps.at(-1)?.toLocaleString("en")}`, colors);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} at
 * @param {string} fill
 * @param {string} line
 */
export function dot(context, [left, top], fill, line) {
  context.beginPath();
  context.arc(left, top, 5, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = line;
  context.lineWidth = 2;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {[number, number]} at
 * @param {string} text
 * @param {Colors} colors
 */
function label(context, { width, height }, [left, top], text, colors) {
  context.font = colors.font;
  const wide = context.measureText(text).width + 10;
  const x = Math.min(width - wide - 2, Math.max(2, left + 9));
  const y = top + 30 > height ? top - 28 : top + 8;
  if (left < -20 || left > width + 20 || top < -20 || top > height + 20) return;
  context.fillStyle = colors.plate;
  context.fillRect(x, y, wide, 18);
  context.fillStyle = colors.ink;
  context.textBaseline = "middle";
  context.fillText(text, x + 5, y + 9.5);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Colors} colors
 * @param {Place} cursor
 */
function drawCross(context, frame, colors, { i, j }) {
  const y = /** @type {number[]} */ (frame.plane.y);
  const [left, top] = frame.pixel(frame.plane.x[i], y[j]);
  for (const [color, thick] of /** @type {const} */ ([
    [colors.plate, 4],
    [colors.ink, 1.5],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(left - 8, top);
    context.lineTo(left + 8, top);
    context.moveTo(left, top - 8);
    context.lineTo(left, top + 8);
    context.stroke();
  }
}
