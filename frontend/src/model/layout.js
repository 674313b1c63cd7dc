/**
 * Sizes that several views have to agree on.
 *
 * @typedef {object} Gutters
 * @property {number} left  Names of the map's rows, ticks of the curves.
 * @property {number} right  First crossings or color scale of the map, names of the curves.
 */

/** Below this page width curves are named above the chart, not at their ends; as in styles/charts.css. */
export const NARROW = 640;

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
  if (width < NARROW) return { left: 112, right: 56 };
  if (width < 1100) return { left: 140, right: 140 };
  return { left: 152, right: 152 };
}

/**
 * How tall the map's rows are where there is room, and the most height they may take together.
 *
 * @param {{width: number, height: number}} size Of the page.
 * @param {boolean} [full]  Whether the map covers the page.
 */
export function heatRoom({ width, height }, full = false) {
  if (full) return { each: 40, most: Math.max(220, height - 190) };
  const wide = width >= WIDE;
  // Beside the map stands the layer's panel: the height below the curves is the map's.
  const most = wide ? height - 570 : height * 0.4;
  // On very large screens rows grow with it.
  const each = wide ? Math.max(28, Math.min(48, Math.round(height / 44))) : 20;
  return { each, most: Math.round(Math.max(220, Math.min(1200, most))) };
}
