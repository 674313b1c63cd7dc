/**
 * Canvases that can be drawn anew on another context: larger, or as vectors.
 *
 * @typedef {(context: CanvasRenderingContext2D, ratio: number) => void} Drawing  In CSS pixels of the
 *   canvas; `ratio`: device pixels for each.
 */

/** @type {WeakMap<HTMLCanvasElement, Drawing>} */
const DRAWINGS = new WeakMap();

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Drawing} drawing
 */
export function drawnBy(canvas, drawing) {
  DRAWINGS.set(canvas, drawing);
}

/** @param {HTMLCanvasElement} canvas @returns {Drawing | null} */
export function drawingOf(canvas) {
  return DRAWINGS.get(canvas) ?? null;
}

/**
 * An outline that a context of vectors can read again: a path alone keeps it to itself.
 *
 * @param {string} d  As in SVG.
 */
export function shape(d) {
  return Object.assign(new Path2D(d), { d });
}
