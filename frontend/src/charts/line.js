/**
 * Curves over one axis, drawn by uPlot, with what a training record needs and a plotting library
 * does not have: non-finite points as marks on the edge, intervals as bands, a healthy range, and
 * flags where findings begin.
 *
 * @import { Palette } from "./palette.js"
 * @import { Cursor } from "./cursor.js"
 * @import { NonFinite, Verdict } from "../types.js"
 */
import uPlot from "uplot";
import { flagElements } from "./flags.js";
import { columns } from "./line_columns.js";
import { listenToKeys } from "./line_keys.js";
import { drawEdgeMarks, drawHealthy, drawLine } from "./line_marks.js";
import { axes, scales } from "./line_scales.js";
import { watchSize } from "./size.js";

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
 * @property {{x: number, kind: NonFinite | "nonpositive"}[]} bad  Points with no place on the scale.
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
 * @property {string} [label]  For the screen reader; the lines' own labels where it is not given.
 * @property {string} [unit]  What x counts, in a word: "step".
 * @property {boolean} log
 * @property {[number, number] | null} [range]  Of the y axis, where it is fixed.
 * @property {(y: number) => string} formatY
 * @property {((y: number) => string) | null} [formatRight]
 * @property {{left: number, right: number}} gutter
 * @property {Flag[]} flags
 * @property {[number, number] | null} [healthy]
 * @property {number | null} mark  The selected place on the x axis.
 * @property {Palette} palette
 * @property {Cursor} cursor
 * @property {(step: number) => number} fromStep
 * @property {(x: number) => number} toStep
 * @property {((zoom: [number, number] | null) => void) | null} onZoom
 * @property {((step: number) => void) | null} onPick
 * @property {((id: string) => void) | null} onFlag
 */

/** @returns {import("../views/mount.js").Component<LineProps>} */
export function createLineChart() {
  const element = document.createElement("div");
  element.className = "line-chart";
  /** @type {LineProps | null} */
  let props = null;
  /** @type {uPlot | null} */
  let plot = null;
  let stopFollowing = () => {};

  const live = listenToKeys(
    element,
    () => props,
    () => plot,
    (step) => props?.cursor.move(step === null ? null : { step, source: element }),
  );

  function rebuild() {
    plot?.destroy();
    plot = null;
    element.replaceChildren(live);
    if (!props || element.clientWidth === 0 || element.clientHeight === 0) return;
    plot = draw(element, props);
  }

  const stopWatching = watchSize(element, (width, height) => {
    if (plot) plot.setSize({ width, height });
    else rebuild();
  });

  return {
    element,
    update(next) {
      if (props && sameProps(props, next)) return;
      if (props?.cursor !== next.cursor) {
        stopFollowing();
        stopFollowing = next.cursor.follow((place) => {
          if (!plot || !props || place?.source === element) return;
          const x = place ? props.fromStep(place.step) : Number.NaN;
          const left = Number.isFinite(x) ? plot.valToPos(x, "x") : -10;
          plot.setCursor({ left, top: left < 0 ? -10 : 0 }, false);
        });
      }
      props = next;
      element.setAttribute("aria-label", next.label ?? labelOf(next.lines));
      rebuild();
    },
    destroy() {
      stopFollowing();
      stopWatching();
      plot?.destroy();
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
    a.palette === b.palette &&
    a.log === b.log &&
    a.kind === b.kind &&
    a.mark === b.mark &&
    same(a.extent, b.extent) &&
    same(a.range, b.range) &&
    a.gutter.left === b.gutter.left &&
    a.gutter.right === b.gutter.right
  );
}

/**
 * @param {HTMLElement} element
 * @param {LineProps} props
 */
function draw(element, props) {
  const { data, series, bands } = columns(props);
  const right = props.lines.some((line) => line.scale === "right");
  /** @type {uPlot.Options} */
  const options = {
    width: element.clientWidth,
    height: element.clientHeight,
    padding: [10, right ? 0 : props.gutter.right, 0, 0],
    legend: { show: false },
    series,
    bands,
    scales: scales(props),
    axes: axes(props, right),
    cursor: {
      y: false,
      drag: { x: props.onZoom !== null, y: false, setScale: false },
      points: { show: false },
      bind: {
        dblclick: () => () => {
          props.onZoom?.(null);
          return null;
        },
      },
    },
    hooks: {
      drawClear: [(u) => props.healthy && drawHealthy(u, props.healthy, props.palette)],
      draw: [
        (u) => {
          if (props.mark !== null) drawLine(u, props.mark, props.palette.ink);
          for (const line of props.lines) drawEdgeMarks(u, line, props.palette);
        },
      ],
      setCursor: [createTeller(element, props)],
      setSelect: [(u) => zoom(u, props)],
      ready: [(u) => listen(u, props)],
    },
  };
  const plot = new uPlot(options, data, element);
  if (props.flags.length) {
    // Marks of non-finite points have the edge.
    const top = props.lines.some((line) => line.bad.length > 0) ? 14 : 2;
    flagElements(plot, props.flags, top, props.onFlag);
  }
  return plot;
}

/**
 * Tells the other views where the pointer is. A chart that is only being drawn again keeps silent:
 * the pointer may be on another one.
 *
 * @param {HTMLElement} element
 * @param {LineProps} props
 * @returns {(plot: uPlot) => void}
 */
function createTeller(element, props) {
  let here = false;
  return (plot) => {
    const left = plot.cursor.left ?? -1;
    const step = left < 0 ? Number.NaN : props.toStep(plot.posToVal(left, "x"));
    const inside = Number.isFinite(step);
    if (inside || here) props.cursor.move(inside ? { step, source: element } : null);
    here = inside;
  };
}

/**
 * @param {uPlot} plot
 * @param {LineProps} props
 */
function zoom(plot, props) {
  const { left, width } = plot.select;
  if (width < 4) return;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  props.onZoom?.([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
}

/**
 * @param {uPlot} plot
 * @param {LineProps} props
 */
function listen(plot, props) {
  let pressed = -1;
  plot.over.addEventListener("pointerdown", (event) => {
    pressed = event.clientX;
  });
  plot.over.addEventListener("click", (event) => {
    if (Math.abs(event.clientX - pressed) > 3) return;
    const left = event.clientX - plot.over.getBoundingClientRect().left;
    const step = props.toStep(plot.posToVal(left, "x"));
    if (Number.isFinite(step)) props.onPick?.(step);
  });
}
