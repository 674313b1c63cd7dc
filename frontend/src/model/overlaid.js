/**
 * The charts of a row for two runs at once: each run in its color, columns of one chart told apart
 * by dashes, one scale for both.
 *
 * @import { Line } from "../charts/line.js"
 * @import { SmallChart } from "../data/small_charts.js"
 * @import { Column, LayerReply } from "../types.js"
 * @import { SmallModel } from "./detail.js"
 */
import { constantOf, smallCharts, smallLines } from "../data/small_charts.js";

const DASHES = [[], [5, 4], [2, 3], [8, 3, 2, 3], [1, 3]];

/**
 * @param {LayerReply} reply
 * @param {LayerReply} theirs  The same row of the other run.
 * @param {string} own
 * @param {string} other  Colors.
 * @returns {SmallModel}
 */
export function overlaid(reply, theirs, own, other) {
  const partner = new Map(theirs.columns.map((column) => [column.name, column]));
  // What never changes in either, and is the same in both, needs no chart.
  const drawn = reply.columns.filter((column) => {
    const their = partner.get(column.name);
    return their !== undefined && constantOf(their) !== constantOf(column);
  });
  const { charts, constant } = smallCharts(reply, new Set(drawn.map((column) => column.name)));
  return {
    charts,
    constant,
    lines: charts.map((chart) => [
      ...linesOf(chart, chart.columns, theirs, partner, other, "their "),
      ...linesOf(chart, chart.columns, reply, null, own, ""),
    ]),
    theirs: charts.map((chart) => chart.columns.map((column) => partner.get(column.name) ?? null)),
    colors: { own, other },
  };
}

/**
 * @param {SmallChart} chart
 * @param {Column[]} columns
 * @param {LayerReply} reply
 * @param {Map<string, Column> | null} partner  Of each column; null: itself.
 * @param {string} color
 * @param {string} prefix
 * @returns {Line[]}
 */
function linesOf(chart, columns, reply, partner, color, prefix) {
  const lines = columns.map((column, index) => {
    const drawn = partner ? partner.get(column.name) : column;
    if (!drawn) return [];
    const dash = DASHES[index % DASHES.length];
    return smallLines({ ...chart, columns: [drawn] }, reply, [color]).map((line) => ({
      ...line,
      id: prefix + line.id,
      width: index === 0 ? line.width : Math.min(1.25, line.width ?? 1),
      dash,
    }));
  });
  // The main curve on top, as in the chart of one run.
  return lines.reverse().flat();
}
