/** A map seen by health: distances from limits, first crossings, what is said of a cell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { crossingOf, distanceOf, healthOf, levelOf } from "../src/charts/health.js";
import { decodeHeat } from "../src/data/decode.js";
import { cellsOf, limitWords } from "../src/model/cell.js";
import { showsHealth } from "../src/model/map.js";
import { cut } from "../src/model/map_parts.js";
import { isCalm, lineOf, overallOf } from "../src/model/run_strip.js";
import { heatBytes } from "./heat_bytes.mjs";

const RATIO = /** @type {any} */ ({
  name: "update_ratio",
  title: "Update ratio",
  unit: "1",
  scale: "log10",
  worst: "both",
});
const SHARE = /** @type {any} */ ({
  name: "activation_dead_fraction",
  title: "Dead units",
  unit: "1",
  scale: "linear",
  worst: "high",
});
const BAND = { low: 1e-4, high: 0.1, rule: "update-ratio-out-of-range" };

const levels = (/** @type {number[]} */ values, band = BAND, fraction = false) =>
  values.map((value) => levelOf(distanceOf(value, band, fraction)));

test("within the band is level 0, its ends included", () => {
  assert.deepEqual(levels([1e-4, 0.01, 0.1]), [0, 0, 0]);
});

test("above and below, the ramp steps at 2, 10 and 100 times", () => {
  assert.deepEqual(levels([0.11, 0.2, 0.21, 1, 1.1, 10, 10.1, 1e9]), [1, 1, 2, 2, 3, 3, 4, 4]);
  assert.deepEqual(
    levels([9e-5, 5e-5, 4e-5, 1e-5, 9e-6, 1e-6, 9e-7]),
    [-1, -1, -2, -2, -3, -3, -4],
  );
});

test("zero below a limit, and anything above a limit of zero, is as far as can be", () => {
  assert.deepEqual(levels([0]), [-4]);
  assert.deepEqual(levels([1e-30], { low: null, high: 0, rule: "r" }), [4]);
});

test("a fraction steps at quarters of the way to its end", () => {
  const band = { low: 0, high: 0.6, rule: "dead-relu" };
  assert.deepEqual(levels([0, 0.6, 0.65, 0.75, 0.85, 0.95, 1], band, true), [0, 0, 1, 2, 3, 4, 4]);
});

test("distance grows with the value, over the joints of the ramp too", () => {
  for (const [fraction, band, top] of /** @type {const} */ ([
    [false, BAND, 1e6],
    [true, { low: null, high: 0.5, rule: "r" }, 1],
  ])) {
    let before = 0;
    for (let part = 0; part <= 1000; part += 1) {
      const value = fraction ? 0.5 + 0.5 * (part / 1000) : 0.1 * (top / 0.1) ** (part / 1000);
      const distance = distanceOf(value, band, fraction);
      assert.ok(distance >= before, `${value}: ${distance} < ${before}`);
      before = distance;
    }
  }
});

/** @param {number[][]} values @param {number[][]} [codes] @param {number[]} [places] */
function heatOf(values, codes, places = values.map(() => 0)) {
  return decodeHeat(
    heatBytes({
      values,
      ...(codes && { codes }),
      header: { metric: "update_ratio", bands: [BAND], row_bands: places },
    }),
  );
}

test("the first crossing is the first cell outside, or not finite; rows without limit have none", () => {
  const heat = heatOf(
    [
      [0.01, 0.2, 0.01, 5],
      [0.01, 0.01, 0.01, 0.01],
      [0.01, 0.01, 0.01, Number.NaN],
      [9, 9, 9, Number.NaN],
      [0.01, 1e-6, 0.01, 0.01],
    ],
    [
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 2],
      [0, 0, 0, 2],
      [0, 0, 0, 0],
    ],
    [0, 0, 0, -1, 0],
  );
  const health = healthOf(heat, RATIO);
  assert.ok(health);
  assert.deepEqual([...health.first], [1, -1, 3, -1, 1]);
  assert.deepEqual([...health.place], [1, 0, 3, 0, 1], "rows that cross together share a place");
  assert.deepEqual(
    [...health.heat.codes.subarray(12, 16)],
    [4, 4, 4, 2],
    "no limit, but NaN is NaN",
  );
  assert.deepEqual(crossingOf(health), { side: "outside", limit: null });
  assert.equal(heat.codes[12], 0, "the map itself is left as it came");
});

test("a statistic that no rule judges has no health", () => {
  assert.equal(healthOf(decodeHeat(heatBytes({ values: [[1, 2]] })), RATIO), null);
  assert.equal(healthOf(heatOf([[1], [2]], undefined, [0]), RATIO), null, "not of these rows");
});

test("one side and one limit head the column of first crossings", () => {
  const health = healthOf(
    heatOf([
      [0.01, 1],
      [0.01, 0.02],
    ]),
    RATIO,
  );
  assert.deepEqual(health && crossingOf(health), { side: "above", limit: 0.1 });
});

test("the overview shows the worst of all rows, NaN before anything", () => {
  const heat = heatOf(
    [
      [0.01, 0.19, 0.01],
      [1e-6, 0.01, Number.NaN],
    ],
    [
      [0, 0, 0],
      [0, 0, 2],
    ],
  );
  const health = healthOf(heat, RATIO);
  assert.ok(health);
  const overall = overallOf(health.heat, heat.edges, RATIO);
  const { heat: worst } = overall;
  assert.deepEqual([...worst.codes], [0, 0, 2]);
  assert.deepEqual([levelOf(worst.values[0]), levelOf(worst.values[1])], [-3, 1]);
  assert.equal(overall.label, `Worst ${RATIO.title.toLowerCase()}`);
  assert.equal(isCalm(overall), false);
});

test("where no layer leaves its limits, the overview is of all statistics", () => {
  const heat = heatOf([[0.01, 0.02, 0.01]]);
  const health = healthOf(heat, RATIO);
  assert.ok(health);
  assert.ok(isCalm(overallOf(health.heat, heat.edges, RATIO)));
  const run = /** @type {any} */ ({ health: ".013dn", last_step: 11 });
  const line = lineOf(run, { fromStep: (step) => step }, 14);
  assert.ok(line);
  assert.deepEqual([...line.edges], [0, 2, 4, 6, 8, 10, 14]);
  assert.deepEqual([...line.heat.codes], [1, 0, 0, 0, 0, 2]);
  assert.deepEqual([...line.heat.values].slice(1, 5).map(levelOf), [0, 1, 3, -4]);
  assert.equal(lineOf({ ...run, health: "..00" }, { fromStep: (step) => step }, 12), null);
  assert.equal(
    lineOf(run, { fromStep: () => Number.NaN }, 12),
    null,
    "without a place on the axis",
  );
});

test("a zoom cuts what is in view, and its smallest and largest with it", () => {
  const heat = heatOf([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ]);
  const part = cut(heat, heat.edges, [10, 30]);
  assert.deepEqual([...part.values], [2, 3, 6, 7]);
  assert.deepEqual([part.header.minimum, part.header.maximum], [2, 7]);
  assert.deepEqual(part.header.first_steps, [10, 20]);
  assert.equal(cut(heat, heat.edges, [0, 40]), heat, "all of it is the map itself");
  assert.deepEqual([...cut(heat, heat.edges, [12, 14]).values], [2, 6], "within one cell");
});

test("a cell says its value, its distance from the limit, and the record before", () => {
  const heat = heatOf(
    [
      [0.05, 108.7],
      [1, 2],
    ],
    undefined,
    [0, -1],
  );
  const rows = /** @type {any} */ ([
    { name: "dense/kernel", shape: [64, 32], activation: "relu", initializer: "" },
    { name: "dense/bias", shape: [32], activation: "", initializer: "" },
  ]);
  const say = cellsOf(heat, rows, RATIO, healthOf(heat, RATIO), heat.edges, [0, 20]);
  const cell = say({ row: 0, cell: 1 });
  assert.deepEqual([cell.name, cell.where, cell.value], ["dense/kernel", "step 10", "109"]);
  assert.deepEqual(cell.notes, [
    "above its limit of 0.1 (1,087 times it)",
    "0.05 one record before",
  ]);
  assert.equal(cell.about, "1 of 2 · 64 × 32 · relu");
  assert.deepEqual(say({ row: 1, cell: 0 }).notes, ["no limit applies to this row"]);
});

for (const [value, band, metric, said] of /** @type {const} */ ([
  [0.05, BAND, RATIO, "within 1e-4 – 0.1"],
  [0.1001, BAND, RATIO, "above its limit of 0.1 (1.01 times it)"],
  [0.105, BAND, RATIO, "above its limit of 0.1 (1.05 times it)"],
  [6.37e-7, BAND, RATIO, "below its limit of 1e-4 (1/157 of it)"],
  [0, BAND, RATIO, "below its limit of 1e-4"],
  [3, { low: null, high: 5, rule: "r" }, RATIO, "within its limit of 5"],
  [0.9, { low: 0, high: 0.6, rule: "r" }, SHARE, "above its limit of 60%"],
])) {
  test(`${value} is said to be ${said}`, () => {
    assert.equal(limitWords(value, band, metric), said);
  });
}

test("a map that is neutral all over does not stand beside a finding, unless it is asked for", () => {
  const [calm, sick] = [[[0.01, 0.02]], [[0.01, 0.5]]].map((values) =>
    healthOf(heatOf(values), RATIO),
  );
  assert.deepEqual(
    [showsHealth(null, calm, true), showsHealth(null, calm, false), showsHealth(null, sick, true)],
    [false, true, true],
  );
  assert.deepEqual(
    [showsHealth("health", calm, true), showsHealth("value", sick, true)],
    [true, false],
  );
  assert.equal(showsHealth(null, null, false), false, "no rule judges it");
});
