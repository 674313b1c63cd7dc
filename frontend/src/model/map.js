/**
 * What the heat map is given: the rows in their order, colours, marks.
 *
 * @import { HeatProps, RowMark } from "../charts/heat.js"
 * @import { ColorRange } from "../charts/ranges.js"
 * @import { Finding, Group, Heat, Metric, Row } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { Gutters } from "./layout.js"
 * @import { Surroundings } from "./model.js"
 */
import { wantedHeight } from "../charts/heat_layout.js";
import { shownRows } from "../charts/order.js";
import { badnessOf, worstByRow } from "../charts/pool.js";
import { colorRange, sharedRange } from "../charts/ranges.js";
import { INFINITE, NAN, NO_DATA } from "../data/decode.js";
import { visible } from "../format/names.js";
import { formatValue } from "../format/numbers.js";
import { badness, isOver, lookOf } from "../format/severity.js";
import { formatStepRange, stepNumber } from "../format/steps.js";
import { memo } from "../state/memo.js";
import { rowsOf } from "../state/selection.js";
import { tree } from "../views/findings.js";
import { createDifferenceModel } from "./difference.js";
import { heatRoom } from "./layout.js";

/** @typedef {Omit<HeatProps, "onHover" | "onOpen">} MapProps */

/**
 * @typedef {object} WorstRow
 * @property {number} row
 * @property {string} name
 * @property {string} value
 * @property {string} steps
 *
 * @typedef {object} MapBeside  What a map needs of the run compared in detail.
 * @property {string} run
 * @property {(number | null)[]} partners  Its row for each row of the group.
 * @property {Heat | null} heat  Of the same metric, for colours in common.
 * @property {Heat | null} difference
 *
 * @typedef {object} MapModel
 * @property {MapProps} props
 * @property {{nan: boolean, infinite: boolean, none: boolean}} codes  Which marks occur.
 * @property {WorstRow[]} worst
 */

export function createMapModel() {
  const reading = memo(read);
  const worsting = memo(worstOf);
  const sharing = memo(withOther);
  const ordering = memo(shownRows);
  const judging = memo(rowMarks);
  const listing = memo(worstRows);
  const difference = createDifferenceModel();

  /**
   * @param {State} state
   * @param {Surroundings} around
   * @param {{heat: Heat | null, group: Group | null, row: number, findings: Finding[],
   *   finding: Finding | null, step: number | null, gutter: Gutters, extent: [number, number] | null,
   *   beside: MapBeside | null, alone: boolean}} of  `alone`: whether the picture is to be painted
   *   before what is said of it.
   * @returns {MapModel | null} null while there is no map.
   */
  return (
    { view, size },
    around,
    { heat, group, row, findings, finding, step, gutter, extent, beside, alone },
  ) => {
    const shown = beside && view.map === "difference" ? beside.difference : heat;
    const metric = group?.metrics.find((one) => one.name === shown?.header.metric);
    if (!shown || !group || !metric) return null;
    const room = heatRoom(size);
    const rest = {
      marks: judging(findings, group.rows, finding),
      selectedRow: row,
      selectedStep: step,
      onset: finding && { step: stepNumber(finding.first_step), verdict: lookOf(finding) },
      extent: extent ?? heatSpan(shown),
      gutter,
      palette: around.palette,
      cursor: around.cursor,
    };
    if (beside && shown === beside.difference) {
      const { partners, run: other } = beside;
      const { order, filter } = view;
      return difference({ heat: shown, group, metric, partners, other, order, filter, room, rest });
    }
    if (!heat) return null;
    const { own, codes } = reading(heat, metric);
    const ranked = view.order === "worst" ? worsting(heat, metric, own) : null;
    const order = ordering(group.rows, view.order, view.filter, ranked);
    return {
      codes,
      worst: alone ? NO_ROWS : listing(group.rows, heat, metric, worsting(heat, metric, own)),
      props: {
        ...rest,
        heat,
        rows: group.rows,
        order,
        metric,
        range: sharing(heat, own, beside?.heat ?? null, metric),
        height: wantedHeight(order.length, room.each, room.most),
        label:
          `${metric.title}: ${group.rows.length} rows over ${heat.cells} stretches of steps. ` +
          "Arrow keys move, Enter opens the row.",
      },
    };
  };
}

/**
 * The steps a map covers.
 *
 * @param {Heat} heat
 * @returns {[number, number]}
 */
export function heatSpan({ edges }) {
  return edges.length ? [edges[0], edges[edges.length - 1]] : [0, 1];
}

/**
 * What stands beside the names of rows: the severity of the selected finding where it names them; else
 * the worst of what it explains, and of the others that are listed first-hand.
 *
 * @param {Finding[]} findings
 * @param {Row[]} rows
 * @param {Finding | null} selected
 * @returns {Map<number, RowMark>}
 */
export function rowMarks(findings, rows, selected) {
  /** @type {Map<number, RowMark>} */
  const found = new Map();
  const { heads, explained } = tree(findings);
  const mark = (/** @type {Finding} */ finding, /** @type {string} */ lead, own = false) => {
    const verdict = lookOf(finding);
    for (const row of rowsOf(finding, rows)) {
      const held = found.get(row);
      const worse = !held || (!held.own && badness(verdict) < badness(held.verdict));
      const said = lead + visible(finding.title);
      found.set(row, {
        own: own || held?.own === true,
        verdict: worse ? verdict : held.verdict,
        title: held ? `${held.title}\n${said}` : said,
      });
    }
  };
  if (selected) mark(selected, "", true);
  for (const one of explained.get(selected?.id ?? "") ?? []) mark(one, "Explained by it: ");
  for (const one of heads) {
    if (one !== selected && !isOver(one)) mark(one, "Another finding: ");
  }
  return found;
}

/** @param {Heat} heat @param {Metric} metric @param {ColorRange} range */
function worstOf(heat, metric, { low, high, log }) {
  const center = log ? Math.sqrt(low * high) : (low + high) / 2;
  return worstByRow(heat, badnessOf(metric.worst, log, center));
}

/**
 * What a map by itself says of its colours, and which marks occur.
 *
 * @param {Heat} heat
 * @param {Metric} metric
 */
function read(heat, metric) {
  const has = (/** @type {number} */ code) => heat.codes.includes(code);
  return {
    own: colorRange(heat, metric),
    codes: { nan: has(NAN), infinite: has(INFINITE), none: has(NO_DATA) },
  };
}

/**
 * The colours of a map beside another run's.
 *
 * @param {Heat} heat
 * @param {ColorRange} own
 * @param {Heat | null} other
 * @param {Metric} metric
 */
function withOther(heat, own, other, metric) {
  return sharedRange(heat, own, other && other.cells > 0 ? colorRange(other, metric) : null);
}

const WORST_ROWS = 12;
/** @type {WorstRow[]} */
const NO_ROWS = [];

/**
 * @param {Row[]} rows
 * @param {Heat} heat
 * @param {Metric} metric
 * @param {ReturnType<typeof worstByRow>} worst
 * @returns {WorstRow[]}
 */
function worstRows(rows, heat, metric, worst) {
  const { first_steps: first, last_steps: last } = heat.header;
  return shownRows(rows, "worst", "", worst)
    .slice(0, WORST_ROWS)
    .map((row) => {
      const { code, value, cell } = worst[row];
      const said = code === NAN ? "NaN" : code === INFINITE ? "∞" : formatValue(value, metric);
      return {
        row,
        name: rows[row].name,
        value: cell < 0 ? "no data" : said,
        steps: cell < 0 ? "" : formatStepRange(first[cell], last[cell]),
      };
    });
}
