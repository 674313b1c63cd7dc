/**
 * Scales of colors, each given by evenly spaced stops and linear in between.
 *
 * Differences run from blue for less to orange for more, which the common color vision deficiencies
 * tell apart, over the theme's own neutral for equal: its stops are named in the style sheet. Both
 * arms are equally light at equal distance, so that size reads without hue. All else is cividis.
 */

/** @typedef {[number, number, number]} Color Red, green, blue; 0 to 255. */

const SHADES = 256;

/**
 * @param {Color[]} stops Evenly spaced.
 * @param {number} position 0 to 1; clamped.
 * @returns {Color}
 */
export function between(stops, position) {
  const place = Math.min(1, Math.max(0, position)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  const [low, high] = [stops[at], stops[at + 1]];
  const mix = (/** @type {number} */ channel) =>
    Math.round(low[channel] + (high[channel] - low[channel]) * (place - at));
  return [mix(0), mix(1), mix(2)];
}

/**
 * As a pixel of an image.
 *
 * @param {Color} color
 */
export function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * The scale as pixels, `[256]`. Asked for at every drawing of a map: a few microseconds.
 *
 * @param {Color[]} stops
 */
export function shades(stops) {
  return Uint32Array.from({ length: SHADES }, (_, index) =>
    packed(between(stops, index / (SHADES - 1))),
  );
}
