/**
 * Curves over one axis on a canvas, with what a training record needs and a plotting library does
 * not have: non-finite points as marks on the edge, intervals as bands, a healthy range, and
 * flags where findings begin.
 *
 * @import { Palette } from "./palette.js"
 * @import { Frame } from "./line_scales.js"
 * @import { Cursor, Signal } from "./cursor.js"
 * @import { Healthy, NonFinite, Verdict } from "../types.js"
 */
import { drawnBy } from "./drawings.js";
import { flagElements } from "./flags.js";
import { drawAxes, drawLines } from "./line_draw.js";
import { listenToKeys } from "./line_keys.js";
import {
  drawEdgeMarks,
  drawLine,
  outside,
  paintHealthy,
  paintSpan,
  writeSpan,
} from "./line_marks.js";
import { frameOf } from "./line_scales.js";
import { fitCanvas, watchSize } from "./size.js";

/**
 * @typedef {object} Line
 * @property {string} id
 * @property {string} label
 * @property {string} color
 * @property {number} [width]
 * @property {number[]} [dash]
 * @property {number} [alpha]
 * @property {boolean} [dots]
 * @property {"y" | "right"} [scale]
 * @property {number[]} x  `[n]`, increasing.
 * @property {(number | null)[]} y  `[n]`; the lower bound where `high` is given.
 * @property {(number | null)[] | null} [high]  `[n]`
 * @property {(number | null)[]} [read]  `[n]`, what is read, where that is not the height drawn.
 * @property {{x: number, kind: NonFinite | "nonpositive"}[]} bad  Points with no place on the scale.
 *
 * @typedef {object} Span  A stretch in which a line has no finite point.
 * @property {number} from
 * @property {number} to  Infinity: to the end.
 * @property {string} label
 * @property {string} line  Whose points are not marked one by one there.
 *
 * @typedef {object} Flag
 * @property {string} id
 * @property {number} x
 * @property {string} label
 * @property {Verdict} verdict
 * @property {boolean} selected
 *
 * @typedef {object} LineProps
 * @property {Line[]} lines
 * @property {[number, number]} extent  Of the x axis.
 * @property {"count" | "duration" | "clock"} kind  Of the x axis.
 * @property {(x: number) => string} formatX
 * @property {boolean} [bare]  Whether the x axis has no labels: the chart beneath has them.
 * @property {string} [label]  For the screen reader; the lines' own labels where it is not given.
 * @property {string} [unit]  What x counts, in a word: "step".
 * @property {boolean} log
 * @property {[number, number] | null} [range]  Of the y axis, where it is fixed.
 * @property {boolean} [trimmed]  Whether the y axis leaves out what lies far from the rest.
 * @property {(y: number) => string} formatY
 * @property {((y: number) => string) | null} [formatRight]
 * @property {{left: number, right: number}} gutter
 * @property {Flag[]} flags
 * @property {Healthy | null} [healthy]
 * @property {string} [healthyLabel]  Written into the band.
 * @property {Span[]} [spans]
 * @property {(x: number) => string} [read]  What stands at a place, beside the cursor.
 * @property {Ends} [ends]  Told where lines leave the plot.
 * @property {number | null} mark  The selected place on the x axis.
 * @property {Palette} palette
 * @property {Cursor} cursor
 * @property {(step: number) => number} fromStep
 * @property {(x: number) => number} toStep
 * @property {((zoom: [number, number] | null) => void) | null} onZoom
 * @property {((step: number) => void) | null} onPick
 * @property {((id: string) => void) | null} onFlag
 */

/**
 * Where lines leave the plot at its right edge, in CSS pixels of the element; by id.
 *
 * @typedef {{heights: Map<string, number>, top: number, height: number}} Place
 * @typedef {Signal<Place>} Ends
 */

/** @returns {import("../views/mount.js").Component<LineProps>} */
export function createLineChart() {
  const element = document.createElement("div");
  element.className = "line-chart";
  const picture = document.createElement("canvas");
  /** Over the plot: takes the pointer, holds flags and what moves. */
  const over = document.createElement("div");
  over.className = "over";
  const hair = document.createElement("i");
  hair.className = "hair";
  const plate = document.createElement("span");
  plate.className = "plate";
  hair.append(plate);
  const selection = document.createElement("i");
  selection.className = "selection";
  /** @type {LineProps | null} */
  let props = null;
  /** @type {Frame | null} */
  let frame = null;
  /** Height above the plot that the flags' labels take. */
  let strip = 0;
  let stopFollowing = () => {};

  /** @param {number | null} x */
  function point(x) {
    const left = frame && x !== null ? frame.toX(x) - frame.plot.left : Number.NaN;
    const inside = left >= 0 && left <= (frame?.plot.width ?? 0);
    hair.hidden = !inside;
    if (!inside || x === null || !frame) return;
    hair.style.left = `${left}px`;
    const text = props?.read?.(x) ?? "";
    plate.hidden = text === "";
    plate.textContent = text;
    // Toward the middle: there is always room for it.
    plate.classList.toggle("before", left > frame.plot.width / 2);
  }

  const live = listenToKeys(
    element,
    () => props,
    point,
    (step) => props?.cursor.move(step === null ? null : { step, source: element }),
  );
  element.append(picture, over, live);
  drawnBy(picture, (context) => {
    if (frame && props) draw(context, frame, props);
  });
  listenToPointer(
    over,
    selection,
    () => props,
    () => frame,
    (x) => {
      point(x);
      const step = x === null ? Number.NaN : (props?.toStep(x) ?? Number.NaN);
      props?.cursor.move(Number.isFinite(step) ? { step, source: element } : null);
    },
  );

  function redraw() {
    if (!props || element.clientWidth === 0 || element.clientHeight === 0) return;
    frame = frameOf(props, element.clientWidth, element.clientHeight, strip);
    const context = fitCanvas(picture, element);
    if (context) draw(context, frame, props);
    const { top, height } = frame.plot;
    props.ends?.move({ heights: endsOf(props, frame), top, height });
  }

  function rebuild() {
    if (!props || element.clientWidth === 0 || element.clientHeight === 0) return;
    over.replaceChildren(hair, selection);
    hair.hidden = true;
    selection.hidden = true;
    // How wide labels are is known once they are there; how high their strip is, after that.
    const wide = frameOf(props, element.clientWidth, element.clientHeight);
    Object.assign(over.style, { left: `${wide.plot.left}px`, width: `${wide.plot.width}px` });
    strip = props.flags.length ? flagElements(over, wide, props.flags, props.onFlag) : 0;
    redraw();
    if (!frame) return;
    const { top, height } = frame.plot;
    Object.assign(over.style, { top: `${top}px`, height: `${height}px` });
  }

  const watched = watchSize(element, rebuild);

  return {
    element,
    update(next) {
      const before = props;
      props = next;
      if (before && sameProps(before, next)) {
        if (before.mark !== next.mark) redraw();
        return;
      }
      if (before?.cursor !== next.cursor) {
        stopFollowing();
        stopFollowing = next.cursor.follow((place) => {
          if (!props || place?.source === element) return;
          point(place ? props.fromStep(place.step) : null);
        });
      }
      element.setAttribute("aria-label", next.label ?? labelOf(next.lines));
      rebuild();
    },
    destroy() {
      stopFollowing();
      watched.stop();
    },
  };
}

/** @param {Line[]} lines */
function labelOf(lines) {
  return [...new Set(lines.map((line) => line.label))].join(", ") || "Empty chart";
}

/**
 * Whether a redraw would give the same picture; handlers and formats are taken to be stable.
 *
 * @param {LineProps} a
 * @param {LineProps} b
 */
function sameProps(a, b) {
  const same = (
    /** @type {readonly number[] | null | undefined} */ one,
    /** @type {readonly number[] | null | undefined} */ two,
  ) =>
    one === two || (one?.length === two?.length && !!one?.every((value, i) => value === two?.[i]));
  return (
    a.lines === b.lines &&
    a.flags === b.flags &&
    a.spans === b.spans &&
    a.formatX === b.formatX &&
    a.bare === b.bare &&
    a.trimmed === b.trimmed &&
    a.palette === b.palette &&
    a.log === b.log &&
    a.kind === b.kind &&
    same(a.extent, b.extent) &&
    same(a.range, b.range) &&
    a.gutter.left === b.gutter.left &&
    a.gutter.right === b.gutter.right
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {LineProps} props
 */
function draw(context, frame, props) {
  const { healthy, healthyLabel = "", spans = [], palette, lines, mark } = props;
  if (healthy) paintHealthy(context, frame.plot, healthy, frame.toY, palette, healthyLabel);
  for (const span of spans) paintSpan(context, frame, span, palette);
  drawAxes(context, frame, props);
  drawLines(context, frame, props);
  if (mark !== null) drawLine(context, frame, mark, palette.ink);
  for (const line of lines) drawEdgeMarks(context, frame, outside(line, spans), palette);
  for (const span of spans) writeSpan(context, frame, span, palette);
}

/**
 * The height of each line's last point in view.
 *
 * @param {LineProps} props
 * @param {Frame} frame
 */
function endsOf({ lines, extent }, { toY }) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const { id, x, y, scale } of lines) {
    let at = x.length - 1;
    while (at >= 0 && (y[at] === null || x[at] > extent[1])) at -= 1;
    const value = y[at];
    if (value !== null && value !== undefined) found.set(id, toY(value, scale));
  }
  return found;
}

/** A press that moves less, in pixels, is a click; one that moves more selects a stretch. */
const CLICK = 4;

/**
 * Moving tells where the pointer is, a click picks a step, dragging zooms, dragging with Shift held
 * moves what is in view, a double click shows all.
 *
 * @param {HTMLElement} over
 * @param {HTMLElement} selection
 * @param {() => LineProps | null} current
 * @param {() => Frame | null} framed
 * @param {(x: number | null) => void} tell
 */
function listenToPointer(over, selection, current, framed, tell) {
  /** Where the pointer went down. @type {number | null} */
  let pressed = null;
  /** What was in view then, while Shift is held. @type {[number, number] | null} */
  let held = null;
  const leftOf = (/** @type {MouseEvent} */ event) => {
    const box = over.getBoundingClientRect();
    return Math.min(box.width, Math.max(0, event.clientX - box.left));
  };
  const valueAt = (/** @type {number} */ left) => {
    const frame = framed();
    return frame ? frame.fromX(frame.plot.left + left) : Number.NaN;
  };
  over.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pressed = leftOf(event);
    const props = current();
    held = event.shiftKey && props?.onZoom ? props.extent : null;
    tell(valueAt(pressed));
    // The stretch may end outside; a finger scrolls the page instead.
    if (event.pointerType === "mouse") over.setPointerCapture(event.pointerId);
  });
  over.addEventListener("pointermove", (event) => {
    const left = leftOf(event);
    if (held && pressed !== null) {
      const frame = framed();
      const by = ((pressed - left) / (frame?.plot.width ?? 1)) * (held[1] - held[0]);
      current()?.onZoom?.([held[0] + by, held[1] + by]);
      return;
    }
    tell(valueAt(left));
    const wide = pressed !== null && Math.abs(left - pressed) >= CLICK && current()?.onZoom;
    selection.hidden = !wide;
    if (!wide || pressed === null) return;
    selection.style.left = `${Math.min(left, pressed)}px`;
    selection.style.width = `${Math.abs(left - pressed)}px`;
  });
  over.addEventListener("pointerup", (event) => {
    const [from, to] = [pressed, leftOf(event)];
    const dragged = !selection.hidden;
    const moved = held !== null && Math.abs(to - (from ?? to)) >= CLICK;
    pressed = null;
    held = null;
    selection.hidden = true;
    const props = current();
    if (from === null || !props || moved) return;
    if (dragged) {
      props.onZoom?.([valueAt(Math.min(from, to)), valueAt(Math.max(from, to))]);
    } else if (Math.abs(to - from) < CLICK) {
      const step = props.toStep(valueAt(to));
      if (Number.isFinite(step)) props.onPick?.(step);
    }
  });
  const stop = () => {
    pressed = null;
    held = null;
    selection.hidden = true;
    tell(null);
  };
  over.addEventListener("pointerleave", stop);
  over.addEventListener("pointercancel", stop);
  over.addEventListener("dblclick", () => current()?.onZoom?.(null));
}
