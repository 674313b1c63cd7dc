/**
 * Lines as uPlot's columns and series: all on one x column, intervals as bands, points where a line
 * alone would not show them.
 *
 * @import { Line, LineProps } from "./line.js"
 * @import { Palette } from "./palette.js"
 */
import uPlot from "uplot";

/**
 * All lines on one x column, as uPlot wants them.
 *
 * @param {LineProps} props
 */
export function columns({ lines, palette }) {
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
