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
import { drawEdgeMarks, drawHealthy, drawLine } from "./line_marks.js";
import { linearTicks, logTicks, timeTicks } from "./ranges.js";
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

const FONT_PIXELS = 11;
const X_AXIS_HEIGHT = 24;

/** @returns {import("../views/mount.js").Component<LineProps>} */
export function createLineChart() {
  const element = document.createElement("div");
  element.className = "line-chart";
  /** @type {LineProps | null} */
  let props = null;
  /** @type {uPlot | null} */
  let plot = null;
  let stopFollowing = () => {};

  function rebuild() {
    plot?.destroy();
    plot = null;
    element.replaceChildren();
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
      rebuild();
    },
    destroy() {
      stopFollowing();
      stopWatching();
      plot?.destroy();
    },
  };
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
 * All lines on one x column, as uPlot wants them.
 *
 * @param {LineProps} props
 */
function columns({ lines, palette }) {
  /** @type {uPlot.AlignedData[]} */
  const tables = lines.map((line) => {
    /** @type {any[]} */
    const table = [line.x, line.y];
    if (line.high) table.push(line.high);
    return /** @type {uPlot.AlignedData} */ (table);
  });
  /** @type {uPlot.Series[]} */
  const series = [{}];
  /** @type {uPlot.Band[]} */
  const bands = [];
  for (const line of lines) {
    const one = style(line, palette);
    series.push(one);
    if (line.high) {
      bands.push({ series: [series.length, series.length - 1], fill: `${line.color}40` });
      series.push({ ...one });
    }
  }
  const data = tables.length ? uPlot.join(tables) : /** @type {uPlot.AlignedData} */ ([[]]);
  return { data, series, bands };
}

/**
 * @param {Line} line
 * @param {Palette} palette
 * @returns {uPlot.Series}
 */
function style(line, palette) {
  return {
    scale: line.scale ?? "y",
    stroke: line.color,
    width: line.high ? 1 : (line.width ?? 1.5),
    dash: line.dash,
    alpha: line.alpha ?? 1,
    points: {
      show: true,
      size: line.dots ? 5 : 4,
      width: 1.5,
      stroke: line.color,
      fill: line.dots ? palette.card : line.color,
      filter: (u, index, _show, _gaps) => pointsToShow(u.data[index], line.dots ?? false),
    },
  };
}

/**
 * Dotted lines show every point; others those that have no neighbour to be joined to.
 *
 * @param {ArrayLike<number | null | undefined>} values
 * @param {boolean} all
 */
function pointsToShow(values, all) {
  const shown = [];
  let previous = null;
  let alone = -1;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value === undefined) continue;
    if (value !== null && all) shown.push(index);
    if (!all && alone >= 0 && value === null) shown.push(alone);
    alone = value !== null && previous === null ? index : -1;
    previous = value;
  }
  if (!all && alone >= 0) shown.push(alone);
  return shown;
}

/**
 * @param {LineProps} props
 * @returns {uPlot.Scales}
 */
function scales({ extent, log, range }) {
  return {
    x: { time: false, range: () => extent },
    y: {
      distr: log ? 3 : 1,
      range: (_u, low, high) => range ?? padded(low, high, log),
    },
    right: { range: (_u, low, high) => [Math.min(0, low ?? 0), (high ?? 1) * 1.08 || 1] },
  };
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function padded(low, high, log) {
  if (low === null || high === null) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const wide = Math.log10(high / low) < 0.3 ? 1.5 : 1.15;
    return [low / wide, high * wide];
  }
  const span = high - low || Math.abs(high) * 0.2 || 1;
  // A range that begins near zero begins at zero: lengths can then be compared.
  const bottom = low >= 0 && low < span * 0.4 ? 0 : low - span * 0.06;
  return [bottom, high + span * 0.06];
}

/**
 * @param {LineProps} props
 * @param {boolean} right
 * @returns {uPlot.Axis[]}
 */
function axes(props, right) {
  const { palette, gutter } = props;
  const font = `${FONT_PIXELS}px ${palette.font}`;
  const shared = { font, stroke: palette.soft, labelSize: 0, gap: 4 };
  const faint = { stroke: palette.grid, width: 1 };
  /** @type {uPlot.Axis[]} */
  const found = [
    {
      ...shared,
      size: X_AXIS_HEIGHT,
      grid: { show: false },
      ticks: { ...faint, size: 4 },
      splits: (u, _axis, low, high) => xTicks(props.kind, low, high, u.bbox.width / uPlot.pxRatio),
      values: (_u, splits) => splits.map((value) => props.formatX(value)),
    },
    {
      ...shared,
      size: gutter.left,
      grid: faint,
      ticks: { show: false },
      splits: (u, _axis, low, high) => {
        const count = Math.max(2, Math.floor(u.bbox.height / uPlot.pxRatio / 34));
        return props.log ? logTicks(low, high, count) : linearTicks(low, high, count);
      },
      filter: (_u, splits) => splits,
      values: (_u, splits) => splits.map((value) => props.formatY(value)),
    },
  ];
  if (right) {
    found.push({
      ...shared,
      scale: "right",
      side: 1,
      size: gutter.right,
      grid: { show: false },
      ticks: { show: false },
      splits: (_u, _axis, low, high) => linearTicks(low, high, 4),
      values: (_u, splits) => splits.map((value) => (props.formatRight ?? props.formatY)(value)),
    });
  }
  return found;
}

/**
 * @param {LineProps["kind"]} kind
 * @param {number} low
 * @param {number} high
 * @param {number} width
 */
export function xTicks(kind, low, high, width) {
  const count = Math.max(2, Math.floor(width / (width < 320 ? 56 : 90)));
  if (kind === "count") return linearTicks(low, high, count, true);
  const ahead = kind === "clock" ? new Date(low * 1000).getTimezoneOffset() * -60 : 0;
  return timeTicks(low, high, count, ahead);
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
