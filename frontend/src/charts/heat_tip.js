/**
 * What stands beside the pointer, or the keyboard's cell, on the heat map: the value, how far it is
 * from its limit, the record before, and the row's own curve as a preview of its layer. It keeps off
 * the row that it reads, and inside the window.
 *
 * @import { Palette } from "./palette.js"
 */
import { fitCanvas } from "./size.js";

/**
 * @typedef {object} Cell
 * @property {string} name
 * @property {string} where  "step 38".
 * @property {string} title  Of the statistic.
 * @property {string} value
 * @property {string[]} notes
 * @property {{y: (number | null)[], at: number, low: number | null, high: number | null, log: boolean}
 *   | null} curve  The row over the steps in view; `at`: which of them is pointed at.
 * @property {string} about  What the row is, in a few words.
 *
 * @typedef {{left: number, right: number, top: number, bottom: number}} Box
 */

const MARGIN = 8;

export function createTip() {
  const element = document.createElement("div");
  element.className = "tip";
  element.hidden = true;
  // The line for screen readers says the same.
  element.setAttribute("aria-hidden", "true");
  const head = line("tip-head");
  const name = document.createElement("b");
  const where = document.createTextNode("");
  head.append(name, where);
  const told = line("tip-value");
  const title = document.createTextNode("");
  const value = document.createElement("b");
  told.append(title, value);
  const notes = document.createElement("div");
  const canvas = document.createElement("canvas");
  const frame = document.createElement("div");
  frame.className = "tip-curve";
  frame.append(canvas);
  const about = line("tip-about");
  element.append(head, told, notes, frame, about);

  return {
    element,
    hide() {
      element.hidden = true;
    },
    /**
     * @param {Cell} cell
     * @param {Box} box  Of the cell, within `host`.
     * @param {HTMLElement} host
     * @param {Palette} palette
     */
    show(cell, box, host, palette) {
      element.hidden = false;
      name.textContent = cell.name;
      where.data = `, ${cell.where}`;
      title.data = `${cell.title} `;
      value.textContent = cell.value;
      notes.replaceChildren(...cell.notes.map((text) => line("", text)));
      about.textContent = cell.about;
      frame.hidden = cell.curve === null;
      place(element, box, host);
      const context = cell.curve && fitCanvas(canvas, frame);
      if (context && cell.curve) drawCurve(context, frame, cell.curve, palette);
    },
  };
}

/** @param {string} kind @param {string} [text] */
function line(kind, text = "") {
  const element = document.createElement("p");
  element.className = kind;
  element.textContent = text;
  return element;
}

/**
 * Below the row where the window has room, else above it; never beyond its sides.
 *
 * @param {HTMLElement} element
 * @param {Box} box
 * @param {HTMLElement} host
 */
function place(element, box, host) {
  const { left, top, right } = host.getBoundingClientRect();
  const [width, height] = [element.offsetWidth, element.offsetHeight];
  const x = (box.left + box.right - width) / 2;
  const inside = Math.max(MARGIN - left, Math.min(x, window.innerWidth - MARGIN - left - width));
  const below = box.bottom + MARGIN;
  const fits = top + below + height <= window.innerHeight - MARGIN;
  const above = box.top - MARGIN - height;
  // Where neither side has room for it, beside the cell.
  const y = fits || top + above < MARGIN ? below : above;
  const low = window.innerHeight - MARGIN - top - height;
  element.style.left = `${Math.min(inside, right - left)}px`;
  element.style.top = `${fits || top + above >= MARGIN ? y : Math.min(y, low)}px`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLElement} frame
 * @param {NonNullable<Cell["curve"]>} curve
 * @param {Palette} palette
 */
function drawCurve(context, frame, { y, at, low, high, log }, palette) {
  const [width, height] = [frame.clientWidth, frame.clientHeight];
  const scaled = (/** @type {number} */ value) => (log ? Math.log(value) : value);
  const known = y.flatMap((value) =>
    value !== null && (!log || value > 0) ? [scaled(value)] : [],
  );
  const limits = [low, high].flatMap((one) =>
    one !== null && (!log || one > 0) ? [scaled(one)] : [],
  );
  if (known.length === 0) return;
  const bottom = Math.min(...known, ...limits);
  const span = Math.max(...known, ...limits) - bottom || 1;
  const toX = (/** @type {number} */ index) =>
    3 + (index / Math.max(1, y.length - 1)) * (width - 6);
  const toY = (/** @type {number} */ value) =>
    height - 4 - ((value - bottom) / span) * (height - 8);
  context.strokeStyle = palette.inverseLine;
  context.setLineDash([3, 3]);
  for (const limit of limits)
    stroke(context, [
      [0, toY(limit)],
      [width, toY(limit)],
    ]);
  context.setLineDash([]);
  context.strokeStyle = palette.inverseInk;
  context.lineWidth = 1.5;
  /** @type {number[][]} */
  let piece = [];
  y.forEach((value, index) => {
    if (value !== null && (!log || value > 0)) piece.push([toX(index), toY(scaled(value))]);
    else {
      stroke(context, piece);
      piece = [];
    }
  });
  stroke(context, piece);
  context.fillStyle = palette.inverseLine;
  context.fillRect(toX(at), 0, 1, height);
  const here = y[at];
  if (here === null || here === undefined || (log && here <= 0)) return;
  context.fillStyle = palette.inverseInk;
  context.beginPath();
  context.arc(toX(at), toY(scaled(here)), 3, 0, 2 * Math.PI);
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} points */
function stroke(context, points) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  if (points.length === 1) context.lineTo(points[0][0] + 1, points[0][1]);
  context.stroke();
}
