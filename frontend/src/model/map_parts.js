/**
 * What the map's model is put together from: what is in view, its marks, the worst of all rows.
 *
 * @import { Health } from "../charts/health.js"
 * @import { Codes, MapProps } from "./map.js"
 * @import { Axis } from "./axis.js"
 * @import { Heat, Metric, Row } from "../types.js"
 */
import { crossingOf } from "../charts/health.js";
import { cellAt, INFINITE, NAN, NO_DATA, NO_LIMIT, VALUE } from "../data/decode.js";
import { fullName } from "../format/names.js";
import { formatValue } from "../format/numbers.js";
import { formatStep, formatStepRange, formatStepShort } from "../format/steps.js";

/**
 * Which marks occur in a map.
 *
 * @param {Heat} heat
 * @returns {Codes}
 */
export function codesOf({ codes }) {
  const has = (/** @type {number} */ code) => codes.includes(code);
  return { nan: has(NAN), infinite: has(INFINITE), none: has(NO_DATA), free: has(NO_LIMIT) };
}

/** A map whose steps have no place on the axis of the curves has one of its own. @type {Axis} */
export const OWN_AXIS = {
  kind: "count",
  unit: "step",
  tick: formatStepShort,
  full: (x) => `step ${formatStep(Math.round(x))}`,
  fromStep: (step) => step,
  toStep: (x) => x,
  shared: false,
};

/**
 * The cells in view: of them the color scale is made, so that zooming in rescales it.
 *
 * @param {Heat} heat
 * @param {Float64Array} edges  On the x axis.
 * @param {[number, number]} extent
 * @returns {Heat} `heat` itself while all of it is in view.
 */
export function cut(heat, edges, [low, high]) {
  const { rows, cells, header } = heat;
  const first = Math.max(0, cellAt(edges, low));
  let end = Math.min(cells, cellAt(edges, high) + 1);
  // A cell that begins where the view ends is not in it.
  if (end > first + 1 && edges[end - 1] >= high) end -= 1;
  if (cells === 0 || (first === 0 && end === cells)) return heat;
  const width = end - first;
  const values = new Float32Array(rows * width);
  const codes = new Uint8Array(rows * width);
  let [minimum, maximum] = [Infinity, -Infinity];
  for (let row = 0; row < rows; row += 1) {
    const from = row * cells + first;
    values.set(heat.values.subarray(from, from + width), row * width);
    codes.set(heat.codes.subarray(from, from + width), row * width);
  }
  values.forEach((value, at) => {
    if (codes[at] !== VALUE) return;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  });
  const ends = minimum <= maximum ? { minimum, maximum } : { minimum: null, maximum: null };
  const [steps, last] = [header.first_steps, header.last_steps];
  return {
    header: {
      ...header,
      ...ends,
      cells: width,
      first_steps: steps.slice(first, end),
      last_steps: last.slice(first, end),
    },
    rows,
    cells: width,
    edges: heat.edges.subarray(first, end + 1),
    values,
    codes,
  };
}

/**
 * @param {Health} health
 * @param {Metric} metric
 */
export function headingOf(health, metric) {
  const { side, limit } = crossingOf(health);
  if (limit !== null) return `First ${side} ${formatValue(limit, metric)}`;
  return side === "outside" ? "First outside limits" : `First ${side} its limit`;
}

/**
 * @param {MapProps["read"]} read
 * @param {Heat} heat
 * @param {Row[]} rows
 * @returns {MapProps["cell"]}
 */
export function differenceCells(read, heat, rows) {
  return (place) => {
    const said = read?.(place) ?? "";
    const { first_steps: first, last_steps: last } = heat.header;
    return {
      name: fullName(rows[place.row].name),
      where: formatStepRange(first[place.cell], last[place.cell]),
      title: "",
      value: said.slice(said.lastIndexOf(" · ") + 3),
      notes: [],
      curve: null,
      about: "",
    };
  };
}
