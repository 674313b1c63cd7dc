/**
 * All steps of the run in one strip, the worst layer of each, with a window for what the charts
 * beneath show: dragged it moves, dragged at an end it widens or narrows, drawn anew it jumps.
 *
 * @import { Overall } from "../model/map.js"
 * @import { Axis } from "../model/axis.js"
 * @import { Palette } from "./palette.js"
 * @import { Plot } from "./ticks.js"
 */
import { xTicks } from "./line_scales.js";
import { paint } from "./paint.js";
import { axisSpans, pool, spread } from "./pool.js";
import { fitCanvas, watchSize } from "./size.js";
import { drawSteps } from "./ticks.js";

/**
 * @typedef {object} OverviewProps
 * @property {Overall | null} overall  null where no layer has limits: then the curve is drawn.
 * @property {{x: number[], y: (number | null)[], log: boolean} | null} curve
 * @property {[number, number]} whole
 * @property {[number, number]} extent  In view.
 * @property {Axis} axis
 * @property {{left: number, right: number}} gutter
 * @property {string} label  At the left.
 * @property {string} told  At the right.
 * @property {Palette} palette
 * @property {(zoom: [number, number]) => void} onZoom
 */

const TOP = 6;
const STRIP = 14;
/** How near to an end of the window, in CSS pixels, a press takes hold of it. */
const GRIP = 8;
/** A press that moves less draws no window. */
const LEAST = 4;
/** What one key moves the window by, as a share of it. */
const KEY_PAN = 0.25;
/** The narrowest window, as a share of all. */
const NARROWEST = 1 / 2000;

/** @returns {import("../views/mount.js").Component<OverviewProps>} */
export function createOverview() {
  const element = document.createElement("div");
  element.className = "overview";
  element.dataset.testid = "overview";
  element.tabIndex = 0;
  element.setAttribute("role", "application");
  element.setAttribute("aria-roledescription", "time window");
  const canvas = document.createElement("canvas");
  const frame = document.createElement("i");
  frame.className = "window";
  element.append(canvas, frame);
  /** @type {OverviewProps | null} */
  let props = null;

  const plotOf = () => {
    const { left, right } = props?.gutter ?? { left: 0, right: 0 };
    const width = Math.max(1, element.clientWidth - left - right);
    return { left, top: TOP, width, height: STRIP };
  };

  function redraw() {
    if (!props || element.clientWidth === 0) return;
    const context = fitCanvas(canvas, element);
    if (context) draw(context, plotOf(), props);
    moveFrame();
  }

  function moveFrame() {
    if (!props) return;
    const { left, width } = plotOf();
    const [from, to] = props.extent.map((x) => placeOf(props, x));
    frame.hidden = from <= 0 && to >= 1;
    frame.style.left = `${left + from * width - 2}px`;
    frame.style.width = `${Math.max(4, (to - from) * width + 4)}px`;
  }

  listenToWindow(element, () => props, plotOf);
  const watched = watchSize(element, redraw);
  return {
    element,
    update(next) {
      const before = props;
      props = next;
      const [from, to] = next.extent;
      element.setAttribute(
        "aria-label",
        `${next.label}. In view: ${next.axis.full(from)} to ${next.axis.full(to)}. ` +
          "Arrow keys pan, plus and minus zoom, 0 shows all.",
      );
      if (before && samePicture(before, next)) moveFrame();
      else redraw();
    },
    destroy() {
      watched.stop();
    },
  };
}

/** @param {OverviewProps | null} props @param {number} x */
function placeOf(props, x) {
  if (!props) return 0;
  const [low, high] = props.whole;
  return Math.min(1, Math.max(0, (x - low) / (high - low)));
}

/** @param {OverviewProps} a @param {OverviewProps} b */
function samePicture(a, b) {
  return (
    a.overall === b.overall &&
    a.curve === b.curve &&
    a.whole === b.whole &&
    a.axis.tick === b.axis.tick &&
    a.palette === b.palette &&
    a.label === b.label &&
    a.told === b.told &&
    a.gutter.left === b.gutter.left &&
    a.gutter.right === b.gutter.right
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {OverviewProps} props
 */
function draw(context, plot, props) {
  const { whole, palette, label, told, axis } = props;
  context.font = `11px ${palette.font}`;
  context.textBaseline = "middle";
  context.fillStyle = palette.soft;
  context.textAlign = "right";
  const middle = plot.top + plot.height / 2 + 0.5;
  context.fillText(label, plot.left - 12, middle, plot.left - 16);
  context.textAlign = "left";
  const right = plot.left + plot.width;
  context.fillText(told, right + 10, middle, Math.max(0, props.gutter.right - 12));
  if (props.overall) drawStrip(context, plot, props, props.overall);
  else drawCurve(context, plot, props);
  const toX = (/** @type {number} */ x) => plot.left + placeOf(props, x) * plot.width;
  drawSteps(context, plot, xTicks(axis.kind, ...whole, plot.width), toX, axis.tick, palette);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {OverviewProps} props
 * @param {Overall} overall
 */
function drawStrip(context, plot, { whole, palette }, { heat, edges }) {
  const ratio = devicePixelRatio;
  const left = Math.round(plot.left * ratio);
  const width = Math.max(1, Math.round((plot.left + plot.width) * ratio) - left);
  const height = Math.max(1, Math.round(plot.height * ratio));
  const across = spread(axisSpans(edges, whole[0], whole[1], width));
  const grid = pool(heat, [0], Int32Array.of(0, 1), across.spans, Math.abs);
  const unit = Math.max(1, Math.round(3 * ratio));
  const down = new Int32Array(height);
  const pixels = paint(grid, down, across.at, null, palette.heat, unit);
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
  context.putImageData(image, left, Math.round(plot.top * ratio));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {OverviewProps} props
 */
function drawCurve(context, plot, props) {
  const { curve, palette } = props;
  context.fillStyle = palette.grid;
  context.fillRect(plot.left, plot.top, plot.width, plot.height);
  if (!curve) return;
  const scaled = (/** @type {number} */ value) => (curve.log ? Math.log(value) : value);
  const usable = (/** @type {number | null} */ value) =>
    value !== null && (!curve.log || value > 0);
  const known = curve.y.filter(usable).map((value) => scaled(Number(value)));
  if (known.length === 0) return;
  let [low, high] = [Infinity, -Infinity];
  for (const value of known) [low, high] = [Math.min(low, value), Math.max(high, value)];
  context.strokeStyle = palette.soft;
  context.lineWidth = 1.25;
  context.beginPath();
  let on = false;
  curve.y.forEach((value, index) => {
    if (!usable(value)) {
      on = false;
      return;
    }
    const x = plot.left + placeOf(props, curve.x[index]) * plot.width;
    const part = (scaled(Number(value)) - low) / (high - low || 1);
    const y = plot.top + 2 + (plot.height - 4) * (1 - part);
    if (on) context.lineTo(x, y);
    else context.moveTo(x, y);
    on = true;
  });
  context.stroke();
}

/**
 * @param {HTMLElement} element
 * @param {() => OverviewProps | null} current
 * @param {() => Plot} plotOf
 */
function listenToWindow(element, current, plotOf) {
  /** @type {{part: "all" | "from" | "to" | "new", at: number, extent: [number, number]} | null} */
  let held = null;
  const xAt = (/** @type {MouseEvent} */ event) => {
    const props = current();
    const { left, width } = plotOf();
    const part = (event.clientX - element.getBoundingClientRect().left - left) / width;
    const [low, high] = props?.whole ?? [0, 1];
    return low + Math.min(1, Math.max(0, part)) * (high - low);
  };
  element.addEventListener("pointerdown", (event) => {
    const props = current();
    if (!props || event.button !== 0) return;
    const { width } = plotOf();
    const [low, high] = props.whole;
    const grip = (GRIP / width) * (high - low);
    const [x, [from, to]] = [xAt(event), props.extent];
    const all = from <= low && to >= high;
    const near = (/** @type {number} */ end) => !all && Math.abs(x - end) <= grip;
    const part = near(from) ? "from" : near(to) ? "to" : !all && x > from && x < to ? "all" : "new";
    held = { part, at: x, extent: props.extent };
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    const props = current();
    if (!held || !props) return;
    const window = dragged(held, xAt(event), props.whole, (LEAST / plotOf().width) * 1);
    if (window) props.onZoom(window);
  });
  const release = () => {
    held = null;
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("dblclick", () => {
    const props = current();
    props?.onZoom(props.whole);
  });
  element.addEventListener("keydown", (event) => {
    const props = current();
    const next =
      props && !event.ctrlKey && !event.metaKey && !event.altKey && keyed(event.key, props);
    if (!props || !next) return;
    props.onZoom(next);
    event.preventDefault();
  });
}

/**
 * The window after a drag.
 *
 * @param {{part: "all" | "from" | "to" | "new", at: number, extent: [number, number]}} held
 * @param {number} x
 * @param {[number, number]} whole
 * @param {number} least  How far a new window reaches at least, as a share of all.
 * @returns {[number, number] | null}
 */
export function dragged({ part, at, extent: [from, to] }, x, [low, high], least) {
  const narrow = (high - low) * NARROWEST;
  if (part === "all") return within(from + x - at, to + x - at, low, high);
  if (part === "from") return [Math.max(low, Math.min(x, to - narrow)), to];
  if (part === "to") return [from, Math.min(high, Math.max(x, from + narrow))];
  if (Math.abs(x - at) < least * (high - low)) return null;
  return [Math.min(x, at), Math.max(x, at)];
}

/**
 * A window of the same width that does not leave what there is.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
export function within(from, to, low, high) {
  const width = Math.min(to - from, high - low);
  const start = Math.min(Math.max(low, from), high - width);
  return [start, start + width];
}

/**
 * @param {string} key
 * @param {Pick<OverviewProps, "extent" | "whole">} props
 * @returns {[number, number] | null}
 */
export function keyed(key, { extent: [from, to], whole: [low, high] }) {
  const width = to - from;
  const moved = { ArrowLeft: -KEY_PAN, ArrowRight: KEY_PAN, PageUp: -1, PageDown: 1 }[key];
  if (moved !== undefined) return within(from + moved * width, to + moved * width, low, high);
  if (key === "0") return [low, high];
  if (key === "Home") return within(low, low + width, low, high);
  if (key === "End") return within(high - width, high, low, high);
  const factor = { "+": 0.5, "=": 0.5, "-": 2 }[key];
  if (factor === undefined) return null;
  const [middle, next] = [(from + to) / 2, Math.max(width * factor, (high - low) * NARROWEST)];
  return within(middle - next / 2, middle + next / 2, low, high);
}
