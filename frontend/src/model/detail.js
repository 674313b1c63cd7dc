/**
 * What the panel of the selected layer is given: its charts, how it is spread and how it started,
 * its neighbors, and the profile over depth.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { ProfileProps } from "../charts/profile.js"
 * @import { BandData } from "../data/bands.js"
 * @import { SmallChart } from "../data/small_charts.js"
 * @import {
 *   Column, HistogramReply, Group, Heat, LayerReply, Metric
 * } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Surroundings } from "./model.js"
 * @import { Axis } from "./axis.js"
 */
import { allowedBands, recordedBands } from "../data/bands.js";
import { cellAt, INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { profileRows, profileSpan } from "../data/profile.js";
import { smallCharts, smallLines } from "../data/small_charts.js";
import { stepNumber } from "../format/steps.js";
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
 * @typedef {object} Neighbor  A row of the same kind in the layer before or after.
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
  const otherCounterpart = memo(overlaid);
  const neighboring = memo(neighborsOf);
  const placing = memo(placed);
  const placingBeside = memo(placed);

  /**
   * @param {Heat} heat
   * @param {Group} group
   * @param {Metric} metric
   * @param {number} cell
   * @param {Palette} palette
   * @param {Compared | null} compared
   */
  function alongDepth(heat, group, metric, cell, palette, compared) {
    const { profile, zero } = depth(heat, group, metric, cell, palette, compared);
    const { heat: other, partners } = profile.beside ?? { heat: null, partners: NO_PARTNERS };
    return { profile, marks: marking(heat, profile.shown, zero, other, partners) };
  }

  /**
   * What else is shown by depth.
   *
   * @param {State} state
   * @param {Palette} palette
   * @param {Group | null} group
   * @param {number} row
   * @param {number | null} step
   * @param {Beside} runs
   */
  function others({ slots, selection }, palette, group, row, step, runs) {
    const theirs = slots.otherProfiles.data ?? slots.otherProfiles.previous ?? [];
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
      const { header } = heat;
      const match = theirs.find(
        (one) => one.header.metric === header.metric && one.header.group === header.group,
      );
      const compared = comparedOf(runs, match ?? null, of, heat, cell, step);
      const { profile } = further[index](heat, of, metric, cell, palette, compared);
      return [{ group: of.group, selectedRow, profile }];
    });
  }

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{heat: Heat | null, group: Group | null, row: number, step: number | null, axis: Axis,
   *   runs: Beside}} of
   */
  return (state, { palette }, { heat, group, row, step, axis, runs }) => {
    const { slots } = state;
    const reply = slots.layer.data;
    const theirs = slots.otherLayer.data;
    const beside = slots.counterpart.data;
    const theirSide = slots.otherCounterpart.data;
    const logged = slots.histogram.data;
    const metric = group?.metrics.find((one) => one.name === heat?.header.metric) ?? null;
    const cell = heat ? cellAt(heat.edges, step ?? Number.POSITIVE_INFINITY) : -1;
    return {
      small:
        reply &&
        placing(
          theirs
            ? both(reply, theirs, runs.colors.own, runs.colors.other)
            : small(reply, palette.series, state.view.constants),
          axis,
        ),
      theirs,
      bands: reply && bands(reply, logged),
      beside: beside && {
        reply: beside,
        across: theirSide,
        ...placingBeside(
          theirSide
            ? otherCounterpart(beside, theirSide, runs.colors.own, runs.colors.other)
            : other(beside, palette.series, state.view.constants),
          axis,
        ),
      },
      besideBands: beside && otherBands(beside, null),
      metric,
      neighbors: group && row >= 0 ? neighboring(group, row, heat, cell) : null,
      ...(heat && group && metric && cell >= 0
        ? alongDepth(
            heat,
            group,
            metric,
            cell,
            palette,
            comparedOf(runs, runs.map?.heat ?? null, group, heat, cell, step),
          )
        : { profile: null, marks: null }),
      others: others(state, palette, group, row, step, runs),
    };
  };
}

/**
 * @typedef {Pick<import("./beside.js").BesideModel, "reply" | "map" | "colors" | "other">} Beside
 *
 * @typedef {object} Compared  A statistic of the run compared, at the same step.
 * @property {string} run
 * @property {Heat} heat
 * @property {(number | null)[]} partners
 * @property {number} cell
 * @property {{own: string, other: string}} colors
 */

/**
 * What of the run compared stands beside a profile of `group`, at the same step; null where it has
 * nothing like it, or one counts steps and the other epochs.
 *
 * @param {Beside} beside
 * @param {Heat | null} heat
 * @param {Group} group
 * @param {Heat} own
 * @param {number} ownCell
 * @param {number | null} step  null: the last one of `ownCell`.
 * @returns {Compared | null}
 */
function comparedOf({ reply, other, colors }, heat, group, own, ownCell, step) {
  if (!reply || !other || !heat || heat.header.run !== other.run) return null;
  const [here, there] = reply.axes.map((axis) => axis === "epoch");
  const partners = reply.groups.find((one) => one.group === group.group)?.partners;
  const cell = cellAt(heat.edges, step ?? stepNumber(own.header.last_steps[ownCell]));
  if (!partners || cell < 0 || here !== there) return null;
  return { run: other.run, heat, partners, cell, colors };
}

/** @type {(number | null)[]} */
const NO_PARTNERS = [];

/**
 * @param {LayerReply} reply
 * @param {string[]} colors
 * @param {boolean} [all]  Whether what never changes is drawn, too.
 * @returns {SmallModel}
 */
function smallOf(reply, colors, all = false) {
  const drawn = all ? new Set(reply.columns.map(({ name }) => name)) : undefined;
  const { charts, constant } = smallCharts(reply, drawn);
  return { charts, constant, lines: charts.map((chart) => smallLines(chart, reply, colors)) };
}

/**
 * Charts on the x axis that all share; on their own steps where it has no place for those.
 *
 * @param {SmallModel} small
 * @param {Axis} axis
 * @returns {SmallModel}
 */
function placed(small, { kind, shared, fromStep }) {
  if (kind === "count" || !shared) return small;
  /** @type {Map<number[], number[]>} */
  const known = new Map();
  const xs = (/** @type {number[]} */ x) => {
    const there = known.get(x) ?? x.map(fromStep);
    known.set(x, there);
    return there;
  };
  const lines = small.lines.map((chart) =>
    chart.map((line) => ({
      ...line,
      x: xs(line.x),
      bad: line.bad.map((one) => ({ ...one, x: fromStep(one.x) })),
    })),
  );
  return { ...small, lines };
}

/**
 * Logged histograms where there are any, else what statistics allow.
 *
 * @param {LayerReply} reply
 * @param {HistogramReply | null} logged
 * @returns {BandData[]}
 */
function bandsOf(reply, logged) {
  const recorded = (logged?.histograms ?? []).map(recordedBands);
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
  const standing = memo(besideOf);
  /**
   * @param {Heat} heat
   * @param {Group} group
   * @param {Metric} metric
   * @param {number} cell
   * @param {Palette} palette
   * @param {Compared | null} compared
   */
  return (heat, group, metric, cell, palette, compared) => {
    const rows = shown(group.rows);
    const { run, heat: other, partners, cell: at, colors } = compared ?? NOT_COMPARED;
    const along = spanning(heat, rows, metric, other, partners);
    const beside = standing(run, other, partners, at, colors.other);
    const color = compared ? colors.own : palette.series[0];
    return {
      profile: profile(heat, group, rows, along, metric, cell, color, beside, palette),
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
 * @param {string} color
 * @param {ProfileModel["beside"]} beside
 * @param {Palette} palette
 * @returns {ProfileModel}
 */
function profileOf(heat, { rows }, shown, { span, scale }, metric, cell, color, beside, palette) {
  return { heat, rows, shown, span, scale, metric, cell, color, beside, palette };
}

const NOT_COMPARED = {
  run: "",
  heat: null,
  partners: NO_PARTNERS,
  cell: -1,
  colors: { own: "", other: "" },
};

/**
 * @param {string} run
 * @param {Heat | null} heat
 * @param {(number | null)[]} partners
 * @param {number} cell
 * @param {string} color
 * @returns {ProfileModel["beside"]}
 */
function besideOf(run, heat, partners, cell, color) {
  return heat && { run, heat, partners, cell, color };
}

/**
 * Which marks occur in the rows of the profile, at any step, in either run.
 *
 * @param {Heat} heat
 * @param {number[]} rows
 * @param {boolean} zero
 * @param {Heat | null} other
 * @param {(number | null)[]} partners
 */
function marksOf(heat, rows, zero, other, partners) {
  const seen = new Set();
  const look = (/** @type {Heat} */ { codes, cells }, /** @type {number} */ row) => {
    for (const code of codes.subarray(row * cells, (row + 1) * cells)) seen.add(code);
  };
  for (const row of rows) {
    look(heat, row);
    const partner = partners[row] ?? null;
    if (other && partner !== null) look(other, partner);
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
 * @returns {{before: Neighbor | null, after: Neighbor | null}}
 */
export function neighborsOf({ rows }, row, heat, cell) {
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
