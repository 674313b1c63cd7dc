/**
 * The legend of the loss chart: what each curve is, its value under the pointer (else its last
 * one), and a switch for each. Every text that follows the pointer has a line of its own, so no
 * value, however long, moves what stands around it.
 *
 * @import { Cursor } from "../charts/cursor.js"
 * @import { Ends } from "../charts/line.js"
 * @import { Placement } from "../data/axes.js"
 * @import { Series } from "../types.js"
 */
import { html, nothing, render, svg } from "lit-html";
import { readAt } from "../data/curves.js";
import { formatNumber } from "../format/numbers.js";

/**
 * @typedef {object} LegendItem
 * @property {string} key  By which it is switched off.
 * @property {string} line  Id of its line.
 * @property {Series | null} series  Whose value is read; null without one.
 * @property {number[]} xs  Its places on the axis.
 * @property {(number | null)[] | null} smoothed  What is drawn in place of the values; null where
 *   they are drawn themselves.
 * @property {string} label
 * @property {string} color
 * @property {number} width
 * @property {number[]} dash
 * @property {boolean} dots
 * @property {boolean} shown
 * @property {boolean} constant  Said instead of drawn: it never changes.
 * @property {string | null} note  Why there is no curve.
 *
 * @typedef {object} LegendProps
 * @property {LegendItem[]} items
 * @property {Placement} placement
 * @property {(x: number) => string} formatX
 * @property {Cursor} cursor
 * @property {Ends} ends  Where the curves leave the chart: their names stand there.
 * @property {(name: string) => void} onToggle
 */

/** @returns {import("./mount.js").Component<LegendProps>} */
export function createLegend() {
  const element = document.createElement("div");
  element.className = "legend";
  /** @type {LegendProps | null} */
  let props = null;
  /** @type {number | null} */
  let x = null;
  let stopFollowing = () => {};
  let stopPlacing = () => {};
  /** @type {import("../charts/line.js").Place | null} */
  let ends = null;
  const draw = () => {
    if (!props) return;
    render(legend(props, x), element);
    arrange(element, ends);
  };
  return {
    element,
    update(next) {
      if (props?.cursor !== next.cursor) {
        stopFollowing();
        stopFollowing = next.cursor.follow((place) => {
          const at = place && props ? props.placement.fromStep(place.step) : Number.NaN;
          x = Number.isFinite(at) ? at : null;
          draw();
        });
      }
      if (props?.ends !== next.ends) {
        stopPlacing();
        stopPlacing = next.ends.follow((place) => {
          ends = place;
          arrange(element, ends);
        });
      }
      props = next;
      draw();
    },
    attached: () => arrange(element, ends),
    destroy() {
      stopFollowing();
      stopPlacing();
    },
  };
}

/** Between two names, in CSS pixels. */
const GAP = 2;
/** Above the names: the line that says what their values are of. */
const HEAD = 22;

/**
 * Puts each name where its curve ends, pushed apart where they would overlap; names without a curve
 * follow. Where the style sheet lays them out in rows, above the chart, this has no effect.
 *
 * @param {HTMLElement} element
 * @param {import("../charts/line.js").Place | null} ends
 */
function arrange(element, ends) {
  if (!ends) return;
  const names = element.querySelectorAll(".legend-item");
  const items = /** @type {HTMLElement[]} */ ([...names]).map((item) => {
    const height = item.offsetHeight;
    const end = ends.heights.get(item.dataset.line ?? "");
    return { item, height, wanted: end === undefined ? Infinity : end - 10 };
  });
  items.sort((a, b) => a.wanted - b.wanted);
  // A chart is at least as tall as the names beside it: they never lie over what is below.
  const top = Math.max(HEAD, ends.top - 8);
  const sum = items.reduce((all, { height }) => all + height + GAP, top);
  const needed = `${sum}px`;
  const chart = element.parentElement;
  if (chart && chart.style.getPropertyValue("--names") !== needed) {
    chart.style.setProperty("--names", needed);
  }
  const tops = stacked(items, top, ends.top + ends.height + 22);
  for (const [index, { item }] of items.entries()) {
    item.style.setProperty("--y", `${tops[index]}px`);
  }
}

/**
 * Heights at which things of `height` stand, near where they are wanted and one below the other.
 *
 * @param {{height: number, wanted: number}[]} items  In order; Infinity: as near as can be.
 * @param {number} low
 * @param {number} high
 */
export function stacked(items, low, high) {
  let room = items.reduce((sum, { height }) => sum + height + GAP, 0);
  let free = low;
  return items.map(({ height, wanted }) => {
    // What comes after must fit as well.
    const latest = Math.max(free, high - room);
    const nearest = wanted === Infinity ? free : Math.max(free, wanted);
    const top = Math.min(nearest, latest);
    room -= height + GAP;
    free = top + height + GAP;
    return top;
  });
}

/**
 * @param {LegendProps} props
 * @param {number | null} x
 */
function legend({ items, formatX, onToggle }, x) {
  return html`<p class="legend-x">${x === null ? "last values" : formatX(recordNear(items, x))}</p>
  ${items.map((item) => {
    const { series, xs, note, smoothed } = item;
    const read = series && readAt(series, xs, x ?? Number.POSITIVE_INFINITY);
    if (item.constant) return constant(item);
    const ends = series?.name === "epoch_loss" ? ", each circle where its epoch ends" : "";
    const action = `${item.shown ? "Hide" : "Show"} ${item.label}${ends}`;
    return html`<button type="button" class="legend-item" data-line=${item.line} aria-pressed=${item.shown ? "true" : "false"}
      title=${note === null ? action : `${item.label}: ${note}`} @click=${() => onToggle(item.key)}>
      ${key(item)}
      <span class="legend-label">${item.label}</span>
      <span class="legend-value">${read ? valueWords(series, read, x) : "–"}</span>
      ${smoothed ? smoothedValue(read ? smoothed[read.index] : null) : nothing}
    </button>`;
  })}`;
}

/**
 * The record whose values the legend shows, as the chart's own text names it: the pointer may be
 * between two.
 *
 * @param {LegendItem[]} items
 * @param {number} x
 */
function recordNear(items, x) {
  const main = items.find(({ series }) => series && series.axis !== "epoch") ?? items[0];
  const read = main?.series && readAt(main.series, main.xs, x);
  return read ? main.xs[read.index] : x;
}

/**
 * The value at a place; of a curve that ends in NaN, the last one before that too.
 *
 * @param {Series} series
 * @param {{value: number | null, index: number}} read
 * @param {number | null} x  null: its end.
 */
function valueWords({ values }, { value, index }, x) {
  if (x !== null || value === null || Number.isFinite(value)) return formatNumber(value);
  const finite = values.findLast((one, at) => at < index && one !== null);
  return finite === undefined || finite === null
    ? formatNumber(value)
    : `${formatNumber(finite)}, then ${formatNumber(value)}`;
}

/**
 * What has no line has nothing to switch off.
 *
 * @param {LegendItem} item
 */
function constant({ series, label }) {
  return html`<span class="legend-item constant" title="Constant over all records">
    <span class="legend-label">${label}</span>
    <span class="legend-steady"><span class="legend-value">${formatNumber(series?.values[0])}</span>, constant</span>
  </span>`;
}

/**
 * Where the thick line stands: not at the value that was measured, which is the faint one.
 *
 * @param {number | null} value
 */
function smoothedValue(value) {
  return html`<span class="legend-smoothed" title="The thick line">smoothed ${formatNumber(value)}</span>`;
}

/**
 * A piece of the line as the chart draws it: its color, width and dashes, and the circle of a
 * recorded point at its end, where it hides no gap between two dashes.
 *
 * @param {Pick<LegendItem, "color" | "dash" | "dots"> & {width?: number}} item
 */
export function key({ color, width = 2, dash, dots }) {
  const end = dots ? KEY_DOT - 2.5 : 24;
  return html`<svg class="key" viewBox="0 0 24 10" width="24" height="10" aria-hidden="true">
    <line x1="0" y1="5" x2=${end} y2="5" stroke=${color} stroke-width=${width} stroke-dasharray=${dash.join(" ")}></line>
    ${dots ? svgDot(color) : nothing}
  </svg>`;
}

/** Where the circle stands: behind the second dash of the longest pattern. */
const KEY_DOT = 20;

/** @param {string} color */
function svgDot(color) {
  return svg`<circle cx=${KEY_DOT} cy="5" r="2.5" fill="var(--card)" stroke=${color} stroke-width="1.5"></circle>`;
}
