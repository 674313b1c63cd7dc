/**
 * Nested bands over steps on a canvas: how the entries of a tensor are spread. A pixel shows the
 * widest band and the worst code of the steps that fall into it.
 *
 * @import { BandData } from "../data/bands.js"
 * @import { Cursor } from "./cursor.js"
 * @import { Palette } from "./palette.js"
 * @import { Plot } from "./ticks.js"
 */
import { cellAt, INFINITE, NAN } from "../data/decode.js";
import { formatNumber, formatTick } from "../format/numbers.js";
import { formatStepRange, formatStepShort } from "../format/steps.js";
import { xTicks } from "./line_scales.js";
import { isMark } from "./paint.js";
import { createPlaces } from "./places.js";
import { axisSpans } from "./pool.js";
import { signedPosition, signedTicks } from "./signed_scale.js";
import { fitCanvas } from "./size.js";
import { drawSteps, drawTicks } from "./ticks.js";

/**
 * @typedef {object} BandsProps
 * @property {BandData} data
 * @property {string} color
 * @property {[number, number]} extent  Of the step axis.
 * @property {{left: number, right: number}} gutter
 * @property {number | null} mark  The selected step.
 * @property {boolean} linked  Whether its axis is the one the other views share.
 * @property {Palette} palette
 * @property {Cursor} cursor
 * @property {(step: number) => void} onPick
 */

const TOP = 6;
const AXIS = 24;
/** How strongly each band is filled, from the widest to the narrowest of four. */
const FILLS = [0.16, 0.22, 0.34, 0.9];

/** @param {number} index @param {number} count Bands of a chart with histograms have a median. */
export function fillOf(index, count) {
  return count > 2 ? FILLS[index] : FILLS[index + 1];
}

/** @returns {import("../views/mount.js").Component<BandsProps>} */
export function createBands() {
  /** @type {BandsProps | null} */
  let props = null;
  let stopFollowing = () => {};
  /** The bands as drawn, without what moves over them. */
  const picture = document.createElement("canvas");
  let stale = true;

  const chart = createPlaces("histogram", "histogram over steps", {
    at(x, width) {
      if (!props) return -1;
      const { left, right } = props.gutter;
      const part = (x - left) / (width - left - right);
      const [low, high] = props.extent;
      return part < 0 || part > 1 ? -1 : cellAt(props.data.edges, low + part * (high - low));
    },
    count: () => props?.data.codes.length ?? 0,
    rest: () => (props ? resting(props) : -1),
    say: (cell) => (props ? sentence(props.data, cell) : ""),
    open(cell) {
      if (props?.linked) props.onPick(props.data.edges[cell]);
    },
    tell(cell) {
      if (!props?.linked) return;
      const { cursor, data } = props;
      cursor.move(cell < 0 ? null : { step: data.edges[cell], source: chart.element });
    },
    draw(cell) {
      if (!props) return;
      const { frame, canvas } = chart;
      const { left, right } = props.gutter;
      const plot = {
        left,
        top: TOP,
        width: Math.max(1, frame.clientWidth - left - right),
        height: Math.max(1, frame.clientHeight - TOP - AXIS),
      };
      const ratio = devicePixelRatio;
      stale ||= picture.width !== Math.round(frame.clientWidth * ratio);
      stale ||= picture.height !== Math.round(frame.clientHeight * ratio);
      const under = stale ? fitCanvas(picture, frame) : null;
      if (under) draw(under, plot, props);
      stale = false;
      const context = fitCanvas(canvas, frame);
      if (!context) return;
      context.drawImage(picture, 0, 0, frame.clientWidth, frame.clientHeight);
      const { linked, mark, data } = props;
      if (linked && mark !== null) drawStep(context, plot, props, mark, 0.55);
      if (cell >= 0) drawStep(context, plot, props, data.edges[cell], 0.9);
    },
  });

  return {
    element: chart.element,
    update(next) {
      const before = props;
      props = next;
      if (before?.cursor !== next.cursor) {
        stopFollowing();
        stopFollowing = next.cursor.follow((at) => {
          if (!props?.linked || at?.source === chart.element) return;
          chart.follow(at ? cellAt(props.data.edges, at.step) : -1);
        });
      }
      if (before && samePicture(before, next)) {
        if (before.mark !== next.mark) chart.redraw();
        return;
      }
      const { title, codes } = next.data;
      chart.canvas.setAttribute(
        "aria-label",
        `${title}: histogram over ${codes.length} ranges of steps. Arrow keys move, Enter selects the step.`,
      );
      stale = true;
      if (before?.data !== next.data) chart.reserve();
      if (before?.data === next.data) chart.redraw();
      else chart.follow(-1);
    },
    destroy() {
      stopFollowing();
      chart.destroy();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {BandsProps} props
 * @param {number} step
 * @param {number} alpha
 */
function drawStep(context, { left, width, height }, { extent: [low, high], palette }, step, alpha) {
  const part = (step - low) / (high - low);
  if (part < 0 || part > 1) return;
  context.globalAlpha = alpha;
  context.fillStyle = palette.ink;
  context.fillRect(Math.round(left + part * width), TOP, 1, height);
  context.globalAlpha = 1;
}

/** @param {BandsProps} a @param {BandsProps} b */
function samePicture(a, b) {
  return (
    a.data === b.data &&
    a.palette === b.palette &&
    a.color === b.color &&
    a.extent[0] === b.extent[0] &&
    a.extent[1] === b.extent[1]
  );
}

/** The cell that is told of while nothing is pointed at. @param {BandsProps} props */
function resting({ data, mark, linked }) {
  return cellAt(data.edges, linked && mark !== null ? mark : Number.POSITIVE_INFINITY);
}

/**
 * What one cell says, in words.
 *
 * @param {BandData} data
 * @param {number} cell
 */
export function sentence({ bands, codes, first, last, axis }, cell) {
  if (cell < 0 || cell >= codes.length) return "";
  const where = formatStepRange(first[cell], last[cell], axis);
  const parts = bands
    .filter((band) => band.low[cell] !== null)
    .map((band) => {
      const [low, high] = [formatNumber(band.low[cell], 2), formatNumber(band.high[cell], 2)];
      return low === high ? `${band.name} ${low}` : `${band.name} ${low} … ${high}`;
    });
  if (codes[cell] === NAN) parts.unshift("NaN");
  if (codes[cell] === INFINITE) parts.unshift("infinite");
  return `${where} · ${parts.join(" · ") || "no data"}`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {BandsProps} props
 */
function draw(context, plot, props) {
  const { data, extent, palette, color } = props;
  const y = (/** @type {number} */ value) =>
    TOP + plot.height * (1 - signedPosition(value, data.scale));
  drawAxes(context, plot, props, y);
  const ratio = devicePixelRatio;
  const pixels = Math.max(1, Math.round(plot.width * ratio));
  const spans = axisSpans(data.edges, extent[0], extent[1], pixels);
  const column = columnsOf(data, spans);
  const patterns = new Map([
    [NAN, hatch(context, NAN, palette)],
    [INFINITE, hatch(context, INFINITE, palette)],
  ]);
  for (let x = 0; x < pixels; x += 1) {
    const [left, width] = [plot.left + x / ratio, 1 / ratio];
    const pattern = patterns.get(column.codes[x]);
    if (pattern) {
      context.globalAlpha = 1;
      context.fillStyle = pattern;
      context.fillRect(left, TOP, width, plot.height);
    }
    context.fillStyle = color;
    column.ends.forEach(({ low, high }, index) => {
      if (!(high[x] >= low[x])) return;
      const [top, bottom] = [y(high[x]), y(low[x])];
      const height = Math.max(1.25, bottom - top);
      context.globalAlpha = fillOf(index, column.ends.length);
      context.fillRect(left, (top + bottom - height) / 2, width, height);
    });
  }
  context.globalAlpha = 1;
}

/**
 * The bands and codes of each pixel column.
 *
 * @param {BandData} data
 * @param {Int32Array} spans `[2 * pixels]`
 */
export function columnsOf({ bands, codes }, spans) {
  const pixels = spans.length / 2;
  const found = new Uint8Array(pixels);
  const ends = bands.map(() => ({
    low: new Float64Array(pixels).fill(Infinity),
    high: new Float64Array(pixels).fill(-Infinity),
  }));
  for (let x = 0; x < pixels; x += 1) {
    for (let cell = spans[2 * x]; cell >= 0 && cell < spans[2 * x + 1]; cell += 1) {
      if (codes[cell] === NAN || (codes[cell] === INFINITE && found[x] !== NAN)) {
        found[x] = codes[cell];
      }
      bands.forEach((band, index) => {
        const [low, high] = [band.low[cell], band.high[cell]];
        if (low !== null) ends[index].low[x] = Math.min(ends[index].low[x], low);
        if (high !== null) ends[index].high[x] = Math.max(ends[index].high[x], high);
      });
    }
  }
  return { codes: found, ends };
}

/**
 * The heat map's own pattern for what is not finite.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} code
 * @param {Palette} palette
 */
function hatch(context, code, { heat }) {
  const size = 12;
  const tile = document.createElement("canvas");
  tile.width = size;
  tile.height = size;
  const inner = tile.getContext("2d");
  const [ground, mark] =
    code === NAN ? [heat.nan, heat.nanMark] : [heat.infinite, heat.infiniteMark];
  for (let x = 0; inner && x < size; x += 1) {
    for (let y = 0; y < size; y += 1) {
      inner.fillStyle = `rgb(${(isMark(code, x, y, 3) ? mark : ground).join(" ")})`;
      inner.fillRect(x, y, 1, 1);
    }
  }
  return context.createPattern(tile, "repeat") ?? `rgb(${ground.join(" ")})`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Plot} plot
 * @param {BandsProps} props
 * @param {(value: number) => number} y
 */
function drawAxes(context, plot, { data, extent, palette }, y) {
  const { left, width, height } = plot;
  const ticks = signedTicks(data.scale, Math.max(4, Math.floor(height / 22)));
  drawTicks(context, plot, ticks, y, formatTick, palette);
  const [low, high] = extent;
  const toX = (/** @type {number} */ step) => left + ((step - low) / (high - low)) * width;
  drawSteps(context, plot, xTicks("count", low, high, width), toX, formatStepShort, palette);
}
