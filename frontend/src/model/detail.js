/**
 * What the panel of the selected layer is given: its charts, how it is spread and how it started,
 * its neighbours, and the profile over depth.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { ProfileProps } from "../charts/profile.js"
 * @import { BandData } from "../data/bands.js"
 * @import { SmallChart } from "../data/small_charts.js"
 * @import { Column, DistributionReply, Group, Heat, LayerReply, Metric } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Surroundings } from "./model.js"
 */
import { allowedBands, recordedBands } from "../data/bands.js";
import { cellAt, INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { profileRows, profileSpan } from "../data/profile.js";
import { smallCharts, smallLines } from "../data/small_charts.js";
import { memo } from "../state/memo.js";
import { counterpart } from "../state/selection.js";
import { overlaid } from "./overlaid.js";

/**
 * @typedef {object} SmallModel
 * @property {SmallChart[]} charts
 * @property {Line[][]} lines  By chart.
 * @property {{column: Column, value: number}[]} constant
 * @property {(Column | null)[][]} [theirs]  While two runs are compared: the other's, by chart.
 * @property {{own: string, other: string}} [colors]  Of the two runs.
 *
 * @typedef {Omit<ProfileProps, "selectedRow" | "onOpen">} ProfileModel
 *
 * @typedef {object} Neighbour  A row of the same kind in the layer before or after.
 * @property {number} row
 * @property {string} name
 * @property {number} code
 * @property {number} value  Of the heat map's metric, at the selected step.
 */

export function createDetailModel() {
  const small = memo(smallOf);
  const both = memo(overlaid);
  const other = memo(smallOf);
  const bands = memo(bandsOf);
  const otherBands = memo(bandsOf);
  const depth = createDepth();
  const marking = memo(marksOf);
  const further = Array.from({ length: FURTHER }, createDepth);
  const neighbouring = memo(neighboursOf);

  /**
   * @param {Heat} heat
   * @param {Group} group
   * @param {Metric} metric
   * @param {number} cell
   * @param {Palette} palette
   */
  function alongDepth(heat, group, metric, cell, palette) {
    const { profile, zero } = depth(heat, group, metric, cell, palette);
    return { profile, marks: marking(heat, profile.shown, zero) };
  }

  /**
   * What else is shown by depth.
   *
   * @param {State} state
   * @param {Palette} palette
   * @param {Group | null} group
   * @param {number} row
   * @param {number | null} step
   */
  function others({ slots, selection }, palette, group, row, step) {
    const groups = slots.layers.data?.groups ?? [];
    // While others load, those that were there stay; never another run's, nor the map's own.
    const held = (slots.profiles.data ?? slots.profiles.previous ?? []).filter(
      ({ header }) =>
        header.run === selection.run &&
        !(header.group === selection.group && header.metric === selection.metric),
    );
    return held.slice(0, FURTHER).flatMap((heat, index) => {
      const of = groups.find((one) => one.group === heat.header.group);
      const metric = of?.metrics.find((one) => one.name === heat.header.metric);
      const cell = cellAt(heat.edges, step ?? Number.POSITIVE_INFINITY);
      if (!of || !metric || cell < 0 || heat.rows !== of.rows.length) return [];
      const same = of === group;
      const other = group && !same ? counterpart(groups, group.group, row) : null;
      const selectedRow = same ? row : other?.group === of.group ? other.index : -1;
      const { profile } = further[index](heat, of, metric, cell, palette);
      return [{ group: of.group, selectedRow, profile }];
    });
  }

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{heat: Heat | null, group: Group | null, row: number, step: number | null,
   *   runs: {own: string, other: string}}} of `runs`: their colours.
   */
  return (state, { palette }, { heat, group, row, step, runs }) => {
    const { slots } = state;
    const reply = slots.layer.data;
    const theirs = slots.otherLayer.data;
    const beside = slots.counterpart.data;
    const logged = slots.distribution.data;
    const metric = group?.metrics.find((one) => one.name === heat?.header.metric) ?? null;
    const cell = heat ? cellAt(heat.edges, step ?? Number.POSITIVE_INFINITY) : -1;
    return {
      small:
        reply &&
        (theirs ? both(reply, theirs, runs.own, runs.other) : small(reply, palette.series)),
      theirs,
      bands: reply && bands(reply, logged),
      beside: beside && { reply: beside, ...other(beside, palette.series) },
      besideBands: beside && otherBands(beside, null),
      metric,
      neighbours: group && row >= 0 ? neighbouring(group, row, heat, cell) : null,
      ...(heat && group && metric && cell >= 0
        ? alongDepth(heat, group, metric, cell, palette)
        : { profile: null, marks: null }),
      others: others(state, palette, group, row, step),
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

/**
 * Logged histograms where there are any, else what statistics allow.
 *
 * @param {LayerReply} reply
 * @param {DistributionReply | null} logged
 * @returns {BandData[]}
 */
function bandsOf(reply, logged) {
  const recorded = (logged?.distributions ?? []).map(recordedBands);
  const told = new Set(recorded.map((one) => (one.id === "magnitude" ? "gradient" : one.id)));
  return [...recorded, ...allowedBands(reply).filter((one) => !told.has(one.id))];
}

/** Statistics shown by depth beside the map's own. */
const FURTHER = 3;

/** Remembers one profile piece by piece: only the step changes often. */
function createDepth() {
  const shown = memo(profileRows);
  const spanning = memo(profileSpan);
  const profile = memo(profileOf);
  /**
   * @param {Heat} heat
   * @param {Group} group
   * @param {Metric} metric
   * @param {number} cell
   * @param {Palette} palette
   */
  return (heat, group, metric, cell, palette) => {
    const rows = shown(group.rows);
    const along = spanning(heat, rows, metric);
    return {
      profile: profile(heat, group, rows, along, metric, cell, palette),
      zero: along.zero,
    };
  };
}

/**
 * @param {Heat} heat
 * @param {Group} group
 * @param {number[]} shown
 * @param {ReturnType<typeof profileSpan>} along
 * @param {Metric} metric
 * @param {number} cell
 * @param {Palette} palette
 * @returns {ProfileModel}
 */
function profileOf(heat, { rows }, shown, { span, scale }, metric, cell, palette) {
  return { heat, rows, shown, span, scale, metric, cell, color: palette.series[0], palette };
}

/**
 * Which marks occur in the rows of the profile, at any step.
 *
 * @param {Heat} heat
 * @param {number[]} rows
 * @param {boolean} zero
 */
function marksOf(heat, rows, zero) {
  const seen = new Set();
  for (const row of rows) {
    for (const code of heat.codes.subarray(row * heat.cells, (row + 1) * heat.cells))
      seen.add(code);
  }
  return { nan: seen.has(NAN), infinite: seen.has(INFINITE), none: seen.has(NO_DATA), zero };
}

/**
 * The nearest rows of the same kind in another layer, before and after.
 *
 * @param {Group} group
 * @param {number} row
 * @param {Heat | null} heat
 * @param {number} cell
 * @returns {{before: Neighbour | null, after: Neighbour | null}}
 */
export function neighboursOf({ rows }, row, heat, cell) {
  const here = rows[row];
  const search = (/** @type {number} */ by) => {
    for (let at = row + by; at >= 0 && at < rows.length; at += by) {
      if (rows[at].layer === here.layer || rows[at].kind !== here.kind) continue;
      const index = heat && cell >= 0 ? at * heat.cells + cell : -1;
      const code = heat?.codes[index] ?? NO_DATA;
      const value = code === VALUE && heat ? heat.values[index] : Number.NaN;
      return { row: at, name: rows[at].layer, code, value };
    }
    return null;
  };
  return { before: search(-1), after: search(1) };
}
