/**
 * The heat map, layers by steps, on two canvases: the picture, and above it what follows pointer,
 * keyboard and selection.
 *
 * @import { Cursor } from "./cursor.js"
 * @import { ColorRange } from "./ranges.js"
 * @import { Palette } from "./palette.js"
 * @import { Health } from "./health.js"
 * @import { Axis } from "../model/axis.js"
 * @import { Cell } from "./heat_tip.js"
 * @import { Heat, Metric, Row, Verdict } from "../types.js"
 */
import { cellAt } from "../data/decode.js";
import { memo } from "../state/memo.js";
import { drawnBy } from "./drawings.js";
import { drawAxis, drawLabels, drawOverlay, drawScale } from "./heat_draw.js";
import { drawCrossings } from "./heat_health.js";
import { boxOf, heatLayout, rowAt } from "./heat_layout.js";
import { createTip } from "./heat_tip.js";
import { paint } from "./paint.js";
import { axisSpans, badnessOf, evenSpans, pool, spread } from "./pool.js";
import { fitCanvas, watchSize } from "./size.js";

/**
 * @typedef {object} HeatProps
 * @property {Heat} heat
 * @property {Row[]} rows
 * @property {number[]} order  Row indices to show.
 * @property {Metric} metric
 * @property {ColorRange} range
 * @property {Health | null} health  Colors say the distance from limits; null: the value itself.
 * @property {Float64Array} edges  `[cells + 1]`, where cells lie on the x axis.
 * @property {Axis} axis
 * @property {Map<number, RowMark>} marks  By row index: rows that findings name.
 * @property {number} selectedRow  -1 for none.
 * @property {number | null} selectedStep
 * @property {{step: number, verdict: Verdict} | null} onset
 * @property {[number, number]} extent  Of the x axis.
 * @property {{left: number, right: number}} gutter
 * @property {number} height  Of the whole element.
 * @property {string} label
 * @property {Palette} palette
 * @property {Cursor} cursor
 * @property {(place: Place) => string} [read]  What a cell says, where that is not its value.
 * @property {(place: Place) => Cell} cell  What stands beside the pointer.
 * @property {string} crossing  Heads the steps at which rows leave their limits.
 * @property {(place: Place | null, byKeyboard: boolean) => void} onHover
 * @property {(row: number, step: number) => void} onOpen
 *
 * @typedef {{row: number, cell: number}} Place  Row index (not position) and cell.
 *
 * @typedef {object} RowMark  Beside the name of a row.
 * @property {Verdict} verdict
 * @property {boolean} own  Whether it is the selected finding's; drawn hollow where it is not.
 * @property {string} title  Which findings name the row.
 */

/** @returns {import("../views/mount.js").Component<HeatProps>} */
export function createHeatMap() {
  const element = document.createElement("div");
  element.className = "heat";
  const picture = document.createElement("canvas");
  picture.dataset.testid = "heatmap";
  picture.tabIndex = 0;
  picture.setAttribute("role", "application");
  picture.setAttribute("aria-roledescription", "heat map");
  const overlay = document.createElement("canvas");
  overlay.className = "overlay";
  overlay.setAttribute("aria-hidden", "true");
  const tip = createTip();
  element.append(picture, overlay, tip.element);

  /** @type {HeatProps | null} */
  let props = null;
  /** @type {Place | null} */
  let place = null;
  /** @type {number | null} */
  let hoverStep = null;
  let stopFollowing = () => {};
  const cells = createCells();

  drawnBy(picture, (context, ratio) => {
    if (props) drawPicture(context, layout(), props, cells, ratio);
  });
  drawnBy(overlay, (context) => {
    if (props) drawOverlay(context, layout(), props, null, null);
  });

  const layout = () =>
    heatLayout(element.clientWidth, element.clientHeight, props?.gutter ?? { left: 0, right: 0 });

  function redraw() {
    if (!props || element.clientWidth === 0 || element.clientHeight === 0) return;
    const context = fitCanvas(picture, element);
    if (context) drawPicture(context, layout(), props, cells, devicePixelRatio);
    redrawOverlay();
  }

  function redrawOverlay() {
    if (!props || element.clientWidth === 0) return;
    const context = fitCanvas(overlay, element);
    const at = hoverStep === null ? null : props.axis.fromStep(hoverStep);
    if (context) drawOverlay(context, layout(), props, place, at);
    if (place) tip.show(props.cell(place), boxOf(layout(), props, place), element, props.palette);
    else tip.hide();
  }

  /** @param {Place | null} next @param {boolean} byKeyboard */
  function moveTo(next, byKeyboard) {
    if (!props) return;
    place = next;
    const step = next ? middle(props.heat.edges, next.cell) : null;
    hoverStep = step;
    props.onHover(next, byKeyboard);
    props.cursor.move(step === null ? null : { step, source: element });
    redrawOverlay();
  }

  listenToPointer(picture, () => props, layout, moveTo);
  listenToKeys(
    picture,
    () => props,
    () => place,
    moveTo,
  );
  const watched = watchSize(element, redraw);

  return {
    element,
    update(next) {
      if (props && samePicture(props, next)) {
        const labels = props.selectedRow !== next.selectedRow;
        const same = sameOverlay(props, next);
        props = next;
        // Only the selected row is part of the picture: its label is bold.
        if (labels) redraw();
        else if (!same) redrawOverlay();
        return;
      }
      if (props?.cursor !== next.cursor) {
        stopFollowing();
        stopFollowing = next.cursor.follow((at) => {
          if (at?.source === element) return;
          hoverStep = at?.step ?? null;
          redrawOverlay();
        });
      }
      if (props?.heat !== next.heat || props.order !== next.order) place = null;
      props = next;
      picture.setAttribute("aria-label", next.label);
      element.style.height = `${next.height}px`;
      redraw();
    },
    attached: watched.look,
    destroy() {
      stopFollowing();
      watched.stop();
    },
  };
}

/** @param {HeatProps} a @param {HeatProps} b */
function samePicture(a, b) {
  return (
    a.heat === b.heat &&
    a.order === b.order &&
    a.range === b.range &&
    a.health === b.health &&
    a.edges === b.edges &&
    a.axis === b.axis &&
    a.palette === b.palette &&
    a.marks === b.marks &&
    a.height === b.height &&
    a.extent[0] === b.extent[0] &&
    a.extent[1] === b.extent[1] &&
    a.gutter.left === b.gutter.left &&
    a.gutter.right === b.gutter.right
  );
}

/** @param {HeatProps} a @param {HeatProps} b */
function sameOverlay(a, b) {
  return (
    a.selectedRow === b.selectedRow &&
    a.selectedStep === b.selectedStep &&
    a.onset?.step === b.onset?.step &&
    a.onset?.verdict === b.onset?.verdict
  );
}

/**
 * Remembers the cells: a label in bold, or the typeface that arrived, draws the rest anew.
 *
 * @returns {(props: HeatProps, width: number, height: number, ratio: number) => ImageData}
 */
function createCells() {
  /** @type {HeatProps} */
  let props;
  const cells = memo(
    (_heat, _order, _range, _health, _edges, _low, _high, width, height, ratio, _colors) => {
      const pixels = heatPixels(props, width, height, ratio);
      return new ImageData(new Uint8ClampedArray(pixels.buffer), width, height);
    },
  );
  return (next, width, height, ratio) => {
    props = next;
    const { heat, order, range, health, edges, extent, palette } = next;
    const colors = JSON.stringify(palette.heat);
    const [low, high] = extent;
    return cells(heat, order, range, health, edges, low, high, width, height, ratio, colors);
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./heat_layout.js").HeatLayout} layout
 * @param {HeatProps} props
 * @param {ReturnType<typeof createCells>} cells
 * @param {number} ratio  Device pixels for each of the context's.
 */
function drawPicture(context, layout, props, cells, ratio) {
  const left = Math.round(layout.left * ratio);
  const top = Math.round(layout.top * ratio);
  const width = Math.max(1, Math.round((layout.left + layout.width) * ratio) - left);
  const height = Math.max(1, Math.round((layout.top + layout.height) * ratio) - top);
  if (props.order.length > 0 && props.heat.cells > 0) {
    context.putImageData(cells(props, width, height, ratio), left, top);
    separateRows(context, layout, props.order.length, props.palette.card);
  }
  const named = drawLabels(context, layout, props);
  drawAxis(context, layout, props);
  if (props.health) drawCrossings(context, layout, props, props.health, named);
  else drawScale(context, layout, props);
}

/**
 * @param {HeatProps} props
 * @param {number} width In device pixels.
 * @param {number} height
 * @param {number} ratio
 * @returns {Uint32Array<ArrayBuffer>}
 */
export function heatPixels(props, width, height, ratio) {
  const { heat, order, metric, range, health, edges, extent } = props;
  const center = range.log ? Math.sqrt(range.low * range.high) : (range.low + range.high) / 2;
  const down = spread(evenSpans(order.length, height));
  const across = spread(axisSpans(edges, extent[0], extent[1], width));
  const badness = health ? Math.abs : badnessOf(metric.worst, range.log, center);
  const grid = pool(health?.heat ?? heat, order, down.spans, across.spans, badness);
  const unit = Math.max(1, Math.round(3 * ratio));
  return paint(grid, down.at, across.at, health ? null : range, props.palette.heat, unit);
}

/**
 * Hair lines between rows that are tall enough to carry them.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./heat_layout.js").HeatLayout} layout
 * @param {number} count
 * @param {string} color
 */
function separateRows(context, layout, count, color) {
  const each = layout.height / count;
  if (each < 7) return;
  context.fillStyle = color;
  for (let position = 1; position < count; position += 1) {
    const y = Math.round(layout.top + position * each);
    context.fillRect(layout.left, y, layout.width, 1);
  }
}

/** @param {Float64Array} edges @param {number} cell */
function middle(edges, cell) {
  // A cell of one step is that step, however far the next record is away.
  return edges[cell];
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {() => HeatProps | null} current
 * @param {() => import("./heat_layout.js").HeatLayout} layout
 * @param {(place: Place | null, byKeyboard: boolean) => void} moveTo
 */
function listenToPointer(canvas, current, layout, moveTo) {
  /** @param {PointerEvent | MouseEvent} event @returns {Place | null} */
  const under = (event) => {
    const props = current();
    if (!props) return null;
    const box = canvas.getBoundingClientRect();
    const { left, top, width, height } = layout();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top - top];
    const position = rowAt(y, props.order.length, height);
    if (position < 0 || x >= width || x < -left) return null;
    const [low, high] = props.extent;
    const cell = cellAt(props.edges, low + (Math.max(0, x) / width) * (high - low));
    return cell < 0 ? null : { row: props.order[position], cell };
  };
  /** @type {Place | null} */
  let hovered = null;
  /** @param {PointerEvent} event */
  const hover = (event) => {
    hovered = under(event);
    const named = event.clientX - canvas.getBoundingClientRect().left < layout().left;
    canvas.title = (named && hovered && current()?.marks.get(hovered.row)?.title) || "";
    moveTo(hovered, false);
  };
  canvas.addEventListener("pointermove", hover);
  canvas.addEventListener("pointerdown", hover);
  canvas.addEventListener("pointerleave", () => moveTo(null, false));
  canvas.addEventListener("click", () => {
    // What the read-out says is what opens: a click's place is rounded, and rows may be thinner.
    const props = current();
    if (hovered && props) props.onOpen(hovered.row, props.heat.edges[hovered.cell]);
  });
}

/**
 * Arrow keys move by a cell, with Page Up and Page Down by ten rows, Home and End to the ends of
 * the row, Enter opens.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {() => HeatProps | null} current
 * @param {() => Place | null} placed
 * @param {(place: Place | null, byKeyboard: boolean) => void} moveTo
 */
function listenToKeys(canvas, current, placed, moveTo) {
  canvas.addEventListener("keydown", (event) => {
    const props = current();
    if (!props || props.order.length === 0 || props.heat.cells === 0) return;
    const at = placed() ?? start(props);
    if (event.key === "Enter" || event.key === " ") {
      props.onOpen(at.row, props.heat.edges[at.cell]);
    } else {
      const next = placed() ? moved(event.key, at, props) : at;
      if (!next) return;
      moveTo(next, true);
    }
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => moveTo(null, false));
}

/** @param {HeatProps} props @returns {Place} */
function start(props) {
  const row = props.order.includes(props.selectedRow) ? props.selectedRow : props.order[0];
  return { row, cell: Math.max(0, cellAt(props.heat.edges, props.selectedStep ?? Infinity)) };
}

/**
 * @param {string} key
 * @param {Place} at
 * @param {HeatProps} props
 * @returns {Place | null} null for a key that means nothing here.
 */
export function moved(key, at, { order, heat }) {
  const position = order.indexOf(at.row);
  const rowBy = (/** @type {number} */ by) => ({
    row: order[Math.min(order.length - 1, Math.max(0, position + by))],
    cell: at.cell,
  });
  const cellTo = (/** @type {number} */ cell) => ({
    row: at.row,
    cell: Math.min(heat.cells - 1, Math.max(0, cell)),
  });
  switch (key) {
    case "ArrowUp":
      return rowBy(-1);
    case "ArrowDown":
      return rowBy(1);
    case "PageUp":
      return rowBy(-10);
    case "PageDown":
      return rowBy(10);
    case "ArrowLeft":
      return cellTo(at.cell - 1);
    case "ArrowRight":
      return cellTo(at.cell + 1);
    case "Home":
      return cellTo(0);
    case "End":
      return cellTo(heat.cells - 1);
    default:
      return null;
  }
}
