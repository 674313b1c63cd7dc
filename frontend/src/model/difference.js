/**
 * What the heat map is given while it shows how two runs differ: the rows that both have, colors
 * centered at equal.
 *
 * @import { Place } from "../charts/heat.js"
 * @import { ColorRange } from "../charts/ranges.js"
 * @import { Group, Heat, Metric, Row } from "../types.js"
 * @import { MapModel, MapProps } from "./map.js"
 */
import { wantedHeight } from "../charts/heat_layout.js";
import { shownRows } from "../charts/order.js";
import { badnessOf, worstByRow } from "../charts/pool.js";
import { INFINITE, NAN, NO_DATA, VALUE } from "../data/decode.js";
import { fullName, visible } from "../format/names.js";
import { formatDifference, isFraction } from "../format/numbers.js";
import { formatStepRange } from "../format/steps.js";
import { memo } from "../state/memo.js";

const SIZE = badnessOf("both", false, 0);
const WORST_ROWS = 12;
/** Share of cells that may fall outside the scale, so that an outlier hides nothing. */
const TRIM = 0.01;

/**
 * The colors' range, the same to both sides of equal: at least a factor of ten, or a tenth of all
 * entries, so that noise does not look like a difference.
 *
 * @param {Heat} heat
 * @param {Metric} metric
 * @returns {ColorRange}
 */
export function differenceRange({ values, codes, header }, metric) {
  const sizes = [];
  for (let at = 0; at < values.length; at += 1) {
    if (codes[at] === VALUE && Number.isFinite(values[at])) sizes.push(Math.abs(values[at]));
  }
  const sorted = Float64Array.from(sizes).sort();
  const most = sorted.length ? sorted[Math.round((1 - TRIM) * (sorted.length - 1))] : 0;
  const least = header.scale === "log10" ? 1 : isFraction(metric) ? 0.1 : 0;
  const end = Math.max(most, least) || 1;
  const { minimum, maximum } = header;
  return {
    low: -end,
    high: end,
    log: false,
    zeros: false,
    clippedLow: minimum !== null && minimum < -end,
    clippedHigh: maximum !== null && maximum > end,
    difference: true,
  };
}

/**
 * @param {Heat} heat
 * @param {Row[]} rows
 * @param {Metric} metric
 * @param {string} other
 * @param {Place} place
 */
export function differenceReadout(heat, rows, metric, other, { row, cell }) {
  const { first_steps: first, last_steps: last } = heat.header;
  const at = row * heat.cells + cell;
  const value = heat.values[at];
  const finite = Number.isNaN(value) ? "" : `, finite part ${formatDifference(value, metric)}`;
  const said = new Map([
    [NO_DATA, "no data in one of the runs"],
    [NAN, `NaN in one of the runs${finite}`],
    [INFINITE, `infinite in one of the runs${finite}`],
  ]).get(heat.codes[at]);
  const steps = formatStepRange(first[cell], last[cell]);
  const alone = `exactly 0 ${value > 0 ? "here" : `in ${visible(other)}`} only`;
  const size = `${formatDifference(value, metric)} in ${visible(other)}`;
  const what = said ?? `${metric.title}: ${Math.abs(value) === Infinity ? alone : size}`;
  return `${fullName(rows[row].name)} · ${steps} · ${what}`;
}

export function createDifferenceModel() {
  const worsting = memo((/** @type {Heat} */ heat) => worstByRow(heat, SIZE));
  const ranging = memo(differenceRange);
  const ordering = memo(pairedRows);
  const coding = memo(codesOf);
  const listing = memo(worstRows);
  const reading = memo(
    (
      /** @type {Heat} */ heat,
      /** @type {Row[]} */ rows,
      /** @type {Metric} */ metric,
      /** @type {string} */ other,
    ) =>
      (/** @type {Place} */ place) =>
        differenceReadout(heat, rows, metric, other, place),
  );
  const naming = memo(differenceMetric);

  /**
   * The map as it would be, with the difference in place of the run's own values.
   *
   * @param {{heat: Heat, group: Group, metric: Metric, partners: (number | null)[], other: string,
   *   order: import("../types.js").Order, filter: string, room: {each: number, most: number},
   *   rest: Omit<MapProps, "heat" | "rows" | "order" | "metric" | "range" | "height" | "label" | "cell">}} of
   * @returns {Omit<MapModel, "props"> & {props: Omit<MapProps, "cell">}}
   */
  return ({ heat, group, metric, partners, other, order: by, filter, room, rest }) => {
    const worst = worsting(heat);
    const order = ordering(group.rows, by, filter, worst, partners);
    const named = naming(metric, other);
    return {
      codes: coding(heat, order),
      limited: false,
      overall: null,
      recordsInView: heat.cells,
      worst: listing(group.rows, heat, named, worst, order),
      props: {
        ...rest,
        heat,
        rows: group.rows,
        order,
        metric: named,
        range: ranging(heat, metric),
        height: wantedHeight(order.length, room.each, room.most),
        read: reading(heat, group.rows, metric, other),
        label:
          `${named.title}: ${order.length} rows over ${heat.cells} ranges of steps. ` +
          "Arrow keys move, Enter opens the row.",
      },
    };
  };
}

/**
 * @param {Metric} metric
 * @param {string} other
 * @returns {Metric}
 */
function differenceMetric(metric, other) {
  const title = `${metric.title} of ${visible(other)}, against this run`;
  return { ...metric, title, worst: "both" };
}

/**
 * @param {Row[]} rows
 * @param {import("../types.js").Order} by
 * @param {string} filter
 * @param {ReturnType<typeof worstByRow>} worst
 * @param {(number | null)[]} partners
 */
function pairedRows(rows, by, filter, worst, partners) {
  return shownRows(rows, by, filter, worst).filter((row) => (partners[row] ?? null) !== null);
}

/**
 * Marks among the rows on screen.
 *
 * @param {Heat} heat
 * @param {number[]} order
 */
function codesOf({ codes, cells }, order) {
  const has = (/** @type {number} */ code) =>
    order.some((row) => codes.subarray(row * cells, (row + 1) * cells).includes(code));
  return { nan: has(NAN), infinite: has(INFINITE), none: has(NO_DATA), free: false };
}

/**
 * @param {Row[]} rows
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {ReturnType<typeof worstByRow>} worst
 * @param {number[]} order
 */
function worstRows(rows, heat, metric, worst, order) {
  const { first_steps: first, last_steps: last } = heat.header;
  return shownRows(rows, "worst", "", worst)
    .filter((row) => order.includes(row))
    .slice(0, WORST_ROWS)
    .map((row) => {
      const { code, value, cell } = worst[row];
      const bad = code === NAN ? "NaN in one" : code === INFINITE ? "infinite in one" : null;
      return {
        row,
        name: rows[row].name,
        value: cell < 0 ? "no data" : (bad ?? formatDifference(value, metric)),
        steps: cell < 0 ? "" : formatStepRange(first[cell], last[cell]),
      };
    });
}
