/**
 * What the panel of the selected layer is given: its small charts, and the profile over depth.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { SmallChart } from "../data/small_charts.js"
 * @import { Column, Group, Heat, LayerReply, Metric } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Surroundings } from "./model.js"
 */
import { cellAt } from "../data/decode.js";
import { smallCharts, smallLines } from "../data/small_charts.js";
import { memo } from "../state/memo.js";
import { profileCurve, profileRows } from "../views/profile.js";

/**
 * @typedef {object} SmallModel
 * @property {SmallChart[]} charts
 * @property {Line[][]} lines  By chart.
 * @property {{column: Column, value: number}[]} constant
 *
 * @typedef {object} ProfileModel
 * @property {Line[]} lines
 * @property {number[]} rows  Row indices by place on the axis.
 * @property {number} cell
 * @property {Metric} metric
 * @property {Heat} heat
 */

export function createDetailModel() {
  const small = memo(smallOf);
  const profile = memo(profileOf);

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{heat: Heat | null, group: Group | null}} of
   * @returns {{small: SmallModel | null, profile: ProfileModel | null}}
   */
  return ({ selection, slots }, { palette }, { heat, group }) => {
    const reply = slots.layer.data;
    const metric = group?.metrics.find((one) => one.name === heat?.header.metric);
    const cell = heat ? cellAt(heat.edges, selection.step ?? Number.POSITIVE_INFINITY) : -1;
    return {
      small: reply && small(reply, palette.series),
      profile:
        heat && group && metric && cell >= 0 ? profile(heat, group, metric, cell, palette) : null,
    };
  };
}

/**
 * @param {LayerReply} reply
 * @param {string[]} colors
 * @returns {SmallModel}
 */
function smallOf(reply, colors) {
  const { charts, constant } = smallCharts(reply);
  return { charts, constant, lines: charts.map((chart) => smallLines(chart, reply, colors)) };
}

/** More rows than this are a line without dots. */
const MOST_DOTS = 60;

/**
 * @param {Heat} heat
 * @param {Group} group
 * @param {Metric} metric
 * @param {number} cell
 * @param {Palette} palette
 * @returns {ProfileModel}
 */
function profileOf(heat, group, metric, cell, palette) {
  const rows = profileRows(group.rows);
  const curve = profileCurve(heat, rows, cell, metric.scale === "log10");
  const style = { color: palette.series[0], width: 1.75, dots: rows.length <= MOST_DOTS };
  return {
    lines: [{ id: "profile", label: metric.title, ...style, ...curve }],
    rows,
    cell,
    metric,
    heat,
  };
}
