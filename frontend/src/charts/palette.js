/**
 * The theme's colors for canvases, read from the custom properties of the style sheet, so that
 * they are named in one place.
 *
 * @import { HeatColors } from "./paint.js"
 * @import { Verdict } from "../types.js"
 */

/**
 * @typedef {object} Palette
 * @property {string} ink
 * @property {string} soft
 * @property {string} faint
 * @property {string} grid
 * @property {string} card
 * @property {string} nonfinite
 * @property {string} healthyBand
 * @property {string} healthyEdge
 * @property {string} nanGround  Behind what is not finite.
 * @property {string} inverseInk  Text and lines on inverse ground.
 * @property {string} inverseLine
 * @property {string[]} series  Colors for several lines of one chart.
 * @property {Record<Verdict, string>} verdict
 * @property {HeatColors} heat
 * @property {string} font
 */

/**
 * @param {Element} element
 * @returns {Palette}
 */
export function readPalette(element) {
  const style = getComputedStyle(element);
  const value = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const color = (/** @type {string} */ name) => channels(value(name));
  return {
    ink: value("--ink"),
    soft: value("--ink-soft"),
    faint: value("--ink-faint"),
    grid: value("--grid"),
    card: value("--card"),
    nonfinite: value("--critical"),
    healthyBand: value("--healthy-band"),
    healthyEdge: value("--healthy-edge"),
    nanGround: value("--heat-nan"),
    inverseInk: value("--inverse-ink"),
    inverseLine: value("--inverse-soft"),
    series: ["--series-1", "--series-2", "--series-3", "--series-4"].map(value),
    verdict: {
      critical: value("--critical"),
      warning: value("--warning"),
      info: value("--info"),
      healthy: value("--healthy"),
      unknown: value("--ink-soft"),
      early: value("--ink-soft"),
      pending: value("--ink-soft"),
      error: value("--critical"),
    },
    heat: {
      nan: color("--heat-nan"),
      nanMark: color("--heat-nan-mark"),
      infinite: color("--heat-inf"),
      infiniteMark: color("--heat-inf-mark"),
      noData: color("--heat-none"),
      noDataMark: color("--heat-none-mark"),
      free: color("--heat-free"),
      freeMark: color("--heat-free-mark"),
      levels: [
        ...[4, 3, 2, 1].map((level) => color(`--cell-below-${level}`)),
        color("--cell-healthy"),
        ...[1, 2, 3, 4].map((level) => color(`--cell-above-${level}`)),
      ],
      diverging: ["less", "slightly-less", "equal", "slightly-more", "more"].map((name) =>
        color(`--difference-${name}`),
      ),
    },
    font: style.fontFamily,
  };
}

/**
 * `#rrggbb` -> `[r, g, b]`; black for anything else.
 *
 * @param {string} hex
 * @returns {[number, number, number]}
 */
export function channels(hex) {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  if (!match) return [0, 0, 0];
  return [
    Number.parseInt(match[1], 16),
    Number.parseInt(match[2], 16),
    Number.parseInt(match[3], 16),
  ];
}

/** TensorBoard's own colors for runs: `[light, dark]`. */
const RUN_COLORS = [
  ["#425066", "#8e98a3"],
  ["#0e9bb0", "#12b5cb"],
  ["#e52592", "#f25cae"],
  ["#c98a00", "#f9ab00"],
  ["#9334e6", "#b77af0"],
  ["#649c2c", "#7cb342"],
  ["#e8710a", "#f08a33"],
];

/** Which of the palette's series stands out best beside each run color. */
const PARTNERS = [1, 1, 2, 3, 1, 3, 0];

/**
 * A color for a second curve of a run, of another hue than the first.
 *
 * @param {number} index Of the run.
 * @param {Palette} palette
 */
export function partnerColor(index, palette) {
  return palette.series[PARTNERS[Math.max(0, index) % PARTNERS.length]];
}

/**
 * All colors of runs, the one of the run at `index` first.
 *
 * @param {number} index
 * @param {"light" | "dark"} theme
 */
export function runColors(index, theme) {
  return RUN_COLORS.map((_pair, at) => runColor(index + at, theme));
}

/** Shapes of the dot of a run: one for each time the colors begin anew. */
const RUN_MARKS = ["", "square", "diamond", "triangle"];

/**
 * The shape of a run's dot, by its place in the list: colors repeat after a few runs, color and
 * shape together after four times as many. "" is round.
 *
 * @param {number} index
 */
export function runMark(index) {
  return RUN_MARKS[Math.floor(Math.max(0, index) / RUN_COLORS.length) % RUN_MARKS.length];
}

/**
 * The color of a run, by its place in the list; that of no run is the first.
 *
 * @param {number} index
 * @param {"light" | "dark"} theme
 */
export function runColor(index, theme) {
  return RUN_COLORS[Math.max(0, index) % RUN_COLORS.length][theme === "dark" ? 1 : 0];
}
