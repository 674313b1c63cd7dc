/**
 * Where things lie in a heat map, in CSS pixels: the plot between its gutters, rows, labels.
 *
 * @typedef {object} HeatLayout
 * @property {number} left
 * @property {number} top
 * @property {number} width  Of the plot.
 * @property {number} height
 */

/** Room for the heading of what stands at the right: the first row's label begins beneath it. */
const TOP = 20;
/** Room for the ticks of the x axis. */
export const AXIS_HEIGHT = 24;
const LEAST_HEIGHT = 60;

/**
 * The height a map wants: rows a person can point at while they fit, never beyond `most`.
 *
 * @param {number} rows
 * @param {number} each Height of a row where there is room.
 * @param {number} most
 */
export function wantedHeight(rows, each, most) {
  return Math.round(Math.max(LEAST_HEIGHT, Math.min(rows * each, most))) + TOP + AXIS_HEIGHT;
}

/**
 * @param {number} width Of the whole element.
 * @param {number} height
 * @param {{left: number, right: number}} gutter
 * @returns {HeatLayout}
 */
export function heatLayout(width, height, gutter) {
  return {
    left: gutter.left,
    top: TOP,
    width: Math.max(1, width - gutter.left - gutter.right),
    height: Math.max(1, height - TOP - AXIS_HEIGHT),
  };
}

/**
 * Which of `count` rows lies at `y` within a plot `height` tall; -1 outside.
 *
 * @param {number} y
 * @param {number} count
 * @param {number} height
 */
export function rowAt(y, count, height) {
  if (y < 0 || y >= height || count === 0) return -1;
  return Math.min(count - 1, Math.floor((y * count) / height));
}

/**
 * Which rows get a label when there is not room for all: those that matter most first, then evenly
 * spread ones.
 *
 * @param {number} count
 * @param {number} height
 * @param {number} spacing Least distance of two labels.
 * @param {(position: number) => number} importance 0 for an ordinary row.
 * @returns {number[]} Positions, increasing.
 */
export function labeled(count, height, spacing, importance) {
  const each = height / count;
  if (each >= spacing) return Array.from({ length: count }, (_, index) => index);
  const stride = Math.max(1, Math.ceil(spacing / each));
  const candidates = [];
  for (let position = 0; position < count; position += 1) {
    const weight = importance(position);
    if (weight > 0 || position % stride === 0) candidates.push({ position, weight });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.position - b.position);
  /** @type {Set<number>} */
  const slots = new Set();
  /** @type {number[]} */
  const chosen = [];
  for (const { position } of candidates) {
    const slot = Math.floor(((position + 0.5) * each) / spacing);
    // Two labels one slot apart may still touch; two slots apart never do.
    const near = [slot - 1, slot, slot + 1].some((other) => {
      if (!slots.has(other)) return false;
      return chosen.some((one) => Math.abs(one - position) * each < spacing);
    });
    if (near) continue;
    slots.add(slot);
    chosen.push(position);
  }
  return chosen.sort((a, b) => a - b);
}

/**
 * Where a cell stands on the element, in CSS pixels: what is beside it must not cover its row.
 *
 * @param {HeatLayout} layout
 * @param {Pick<import("./heat.js").HeatProps, "edges" | "extent" | "order">} props
 * @param {import("./heat.js").Place} place
 */
export function boxOf(layout, { edges, extent: [low, high], order }, { row, cell }) {
  const x = (/** @type {number} */ at) =>
    layout.left + Math.min(1, Math.max(0, (at - low) / (high - low))) * layout.width;
  const each = layout.height / Math.max(1, order.length);
  const top = layout.top + order.indexOf(row) * each;
  return { left: x(edges[cell]), right: x(edges[cell + 1]), top, bottom: top + each };
}
