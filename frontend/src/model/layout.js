/**
 * Sizes that several views have to agree on.
 *
 * @typedef {object} Gutters
 * @property {number} left  Of the map: room for names. The curves' legend and axis fill the same.
 * @property {number} right  Colour scale of the map, learning rate of the curves.
 * @property {number} axis  The part of `left` that the curves' y axis takes.
 */

/** From this page width on the layer's panel stands beside the map; as in styles/layout.css. */
export const WIDE = 1560;

/**
 * The map and the curves above it share one time axis, so their plots begin and end alike. On a
 * phone the legend is above the curves and names get less room.
 *
 * @param {number} width Of the page.
 * @returns {Gutters}
 */
export function gutters(width) {
  if (width < 640) return { left: 128, right: 62, axis: 46 };
  if (width < 1100) return { left: 168, right: 62, axis: 48 };
  return { left: 200, right: 62, axis: 50 };
}

/**
 * How tall the map's rows are where there is room, and the most height they may take together.
 *
 * @param {{width: number, height: number}} size Of the page.
 */
export function heatRoom({ width, height }) {
  const wide = width >= WIDE;
  // Beside the map stands the layer's panel: the height below the curves is the map's.
  const most = wide ? height - 570 : height * 0.4;
  // On very large screens rows grow with it.
  const each = wide ? Math.max(28, Math.min(48, Math.round(height / 44))) : 20;
  return { each, most: Math.round(Math.max(220, Math.min(1200, most))) };
}
