/** A layer's columns as small charts, and the profile over depth. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spoken } from "../src/charts/line_keys.js";
import { profileSentence } from "../src/charts/profile.js";
import { decodeHeat } from "../src/data/decode.js";
import { profileMetrics, profileRows, profileSpan } from "../src/data/profile.js";
import { badOf, smallCharts, smallLines } from "../src/data/small_charts.js";
import { profileSheet } from "../src/export/tables.js";
import { distance } from "../src/views/healthy.js";
import { readout } from "../src/views/heatmap.js";
import { worthSaying } from "../src/views/layer.js";
import { nextCell } from "../src/views/player.js";
import { heatBytes } from "./heat_bytes.mjs";

const column = (/** @type {string} */ name, /** @type {any} */ over = {}) =>
  /** @type {any} */ ({
    name,
    title: name,
    symbol: name,
    unit: "u",
    scale: "log10",
    low: [1, 2, 3],
    high: null,
    nonfinite: [],
    healthy: null,
    ...over,
  });
const replyOf = (/** @type {any[]} */ columns) =>
  /** @type {any} */ ({ steps: [0, 10, 20], columns });

test("every column is drawn or named, once", () => {
  const columns = [
    column("gradient_norm"),
    column("window_gradient_norm_max"),
    column("update_ratio", { healthy: { low: 1e-4, high: 1e-1, rule: "r" } }),
    column("brand_new_statistic"),
    column("gradient_nan_fraction", { low: [0, 0, 0], scale: "linear", unit: "1" }),
  ];
  const { charts, constant } = smallCharts(replyOf(columns));
  const drawn = charts.flatMap((chart) => chart.columns.map((one) => one.name));
  assert.deepEqual(
    [...drawn, ...constant.map((one) => one.column.name)].sort(),
    columns.map((one) => one.name).sort(),
  );
  assert.deepEqual(charts.find((chart) => chart.id === "update_ratio")?.healthy?.rule, "r");
  assert.equal(charts[0].healthy, null);
  assert.equal(charts[0].columns.length, 2);
});

test("an interval, a gap or a non-finite point is never a constant", () => {
  const columns = [
    column("a", { low: [1, 1, 1], high: [2, 2, 2] }),
    column("b", { low: [1, null, 1], nonfinite: [[1, "Infinity"]] }),
    column("c", { low: [1, null, null] }),
  ];
  assert.deepEqual(smallCharts(replyOf(columns)).constant, []);
});

test("zeros on a logarithmic chart are marks on its edge", () => {
  const reply = replyOf([column("gradient_norm", { low: [1, 0, 3] })]);
  const [chart] = smallCharts(reply).charts;
  const [line] = smallLines(chart, reply, ["#123456"]);
  assert.deepEqual(line.y, [1, null, 3]);
  assert.deepEqual(line.bad, [{ x: 10, kind: "nonpositive" }]);
});

test("a curve too dense to follow is drawn pale under its course, and no record is lost", () => {
  const steps = [...Array(300).keys()];
  const norm = steps.map((step) => (step === 250 ? 1e12 : step > 200 ? 1 + (step % 2) : 1.5));
  const most = norm.map((value) => 2 * value);
  const columns = [
    column("gradient_norm", { low: norm, nonfinite: [[0, "NaN"]] }),
    column("window_gradient_norm_max", { low: most }),
    column("regularization_gradient_norm", { low: steps.map((step) => 1 + step / 300) }),
  ];
  const reply = /** @type {any} */ ({ steps, columns });
  const [chart] = smallCharts(reply).charts;
  const calm = smallLines(chart, reply, ["#1", "#2", "#3"]);
  assert.deepEqual(
    calm.map(({ id }) => id),
    ["regularization_gradient_norm", "window_gradient_norm_max", "gradient_norm"],
    "beside a spike of twelve orders the saw is none; the main curve is on top",
  );
  norm[250] = 2.5;
  most[250] = 5;
  const lines = smallLines(chart, reply, ["#1", "#2", "#3"]);
  assert.deepEqual(
    lines.map(({ id, alpha }) => [id, alpha !== undefined]),
    [
      ["regularization_gradient_norm raw", true],
      ["window_gradient_norm_max raw", true],
      ["gradient_norm raw", true],
      ["regularization_gradient_norm", false],
      ["window_gradient_norm_max", false],
      ["gradient_norm", false],
    ],
  );
  const [raw, smoothed] = [lines[2], lines[5]];
  assert.deepEqual(raw.y, norm);
  assert.deepEqual([raw.color, smoothed.color], ["#1", "#1"]);
  assert.deepEqual([raw.bad, smoothed.bad], [[], [{ x: 0, kind: "NaN" }]], "marked once");
  const teeth = smoothed.y.slice(220, 245).map(Number);
  assert.ok(Math.max(...teeth) - Math.min(...teeth) < 0.4, "no saw");
  const props = /** @type {any} */ ({ lines, formatX: String, formatY: String });
  assert.ok(spoken(props, 250).includes("gradient_norm 2.5"), "what is said is what was recorded");
});

test("of what never changed, what a rule objects to stands first, and sound zeros are left out", () => {
  const band = (/** @type {any} */ low, /** @type {any} */ high) => ({ low, high, rule: "r" });
  const all = [
    { column: column("gradient_missing"), value: 0 },
    { column: column("gradient_norm", { healthy: band(null, 10) }), value: 0 },
    { column: column("gradient_nan_fraction"), value: 0 },
    { column: column("variable_nonfinite_fraction"), value: 0.5 },
    { column: column("gradient_zero_fraction", { healthy: band(0, 0.7) }), value: 1 },
    { column: column("update_ratio", { healthy: band(1e-4, 0.1) }), value: 0 },
  ];
  assert.deepEqual(
    worthSaying(all).map((one) => [one.column.name, one.bad]),
    [
      ["gradient_zero_fraction", true],
      ["update_ratio", true],
      ["gradient_norm", false],
      ["variable_nonfinite_fraction", false],
    ],
  );
});

test("a limit that is off the chart is said to be, one in view or passed is drawn", () => {
  const far = (/** @type {(number | null)[]} */ y, /** @type {any} */ high = null) =>
    distance({ y, high }, 400);
  assert.equal(far([1, null, 4]), "far below");
  assert.equal(far([1, 200]), "below");
  assert.equal(far([1, 399]), "");
  assert.equal(far([1, 500]), "");
  assert.equal(far([1, 1], [2, 500]), "", "its upper end passes the limit");
});

test("where a tensor held NaN, that is marked: no zero of what was left of it", () => {
  const reply = replyOf([
    column("gradient_norm", { low: [1, 0, null] }),
    column("gradient_zero_fraction", { low: [0.1, 0.2, 0.3], scale: "linear", unit: "1" }),
    column("gradient_nan_fraction", { low: [0, 0.5, 1], scale: "linear", unit: "1" }),
    column("update_norm", { low: [0, 1, 2] }),
    column("variable_norm", { low: [1, 2, 3] }),
    column("activation_std", { low: [1, 2, null] }),
    column("activation_inf_fraction", { low: [0, 0, 1], scale: "linear", unit: "1" }),
  ]);
  const bad = (/** @type {string} */ name, log = true) =>
    badOf(/** @type {any} */ (reply.columns.find((one) => one.name === name)), reply, log);
  const lost = [
    [1, "NaN"],
    [2, "NaN"],
  ];
  assert.deepEqual(bad("gradient_norm"), lost);
  assert.deepEqual(bad("gradient_norm", false), lost, "on a linear scale as well");
  assert.deepEqual(bad("update_norm"), [[0, "nonpositive"], ...lost], "of a damaged gradient");
  assert.deepEqual(bad("gradient_zero_fraction", false), [], "a share of all entries");
  assert.deepEqual(bad("variable_norm"), []);
  assert.deepEqual(bad("activation_std"), [[2, "Infinity"]]);
});

test("an interval whose lower end is zero is no zero", () => {
  const reply = replyOf([column("gradient_norm", { low: [1, 0, 3], high: [2, 2, 4] })]);
  const [chart] = smallCharts(reply).charts;
  assert.deepEqual(smallLines(chart, reply, ["#123456"])[0].bad, []);
});

test("the profile takes kernels and outputs, all rows where there are none", () => {
  const rows = ["kernel", "bias", "kernel", "gamma"].map((kind) => /** @type {any} */ ({ kind }));
  assert.deepEqual(profileRows(rows), [0, 2]);
  assert.deepEqual(profileRows(rows.slice(1, 2)), [0]);
});

test("the profile's scale holds every step, so that it stays while they go by", () => {
  const values = [
    [1, 100],
    [2, 0],
    [3, 3],
    [Number.NaN, 5],
  ];
  const codes = [
    [0, 0],
    [0, 0],
    [2, 3],
    [1, 0],
  ];
  const heat = decodeHeat(heatBytes({ values, codes }));
  const metric = /** @type {any} */ ({ name: "gradient_norm", unit: "u", scale: "log10" });
  const { span, scale, zero } = profileSpan(heat, [0, 1, 2, 3], metric);
  assert.deepEqual([...span.low], [1, 2, Number.NaN, 5]);
  assert.deepEqual([...span.high], [100, 2, Number.NaN, 5]);
  assert.ok(scale.low < 1 && scale.high > 100 && scale.log);
  assert.equal(zero, true);
  const far = { ...metric, healthy: { low: 1e4, high: 1e5, rule: "r" } };
  assert.ok(profileSpan(heat, [0], far).scale.high > 1e4, "how far off healthy is, is seen");
  const nothing = profileSpan(heat, [2], metric).scale;
  assert.ok(nothing.high > nothing.low && nothing.low > 0);
});

test("beside a run compared, the scale holds both, and each place says both", () => {
  const metric = /** @type {any} */ ({
    name: "gradient_norm",
    title: "Gradient norm",
    unit: "u",
    scale: "log10",
  });
  const values = [
    [1, 2],
    [3, 4],
    [5, 6],
  ];
  const heat = decodeHeat(heatBytes({ values, codes: values.map(() => [0, 0]) }));
  // Its rows stand the other way round, and it lacks the last one.
  const other = decodeHeat(
    heatBytes({
      values: [
        [1000, Number.NaN],
        [1e-4, 0.5],
      ],
      codes: [
        [0, 2],
        [0, 0],
      ],
    }),
  );
  const partners = [1, 0, null];
  const { span, scale } = profileSpan(heat, [0, 1, 2], metric, other, partners);
  assert.deepEqual([...span.low], [1, 3, 5], "the shadow is the selected run's");
  assert.ok(scale.low < 1e-4 && scale.high > 1000);
  assert.ok(profileSpan(heat, [2], metric, other, partners).scale.high < 100, "rows not shown");
  const beside = { run: "twin\u202e", heat: other, partners, cell: 1, color: "#000000" };
  const rows = ["a", "b", "c"].map((name) => /** @type {any} */ ({ name }));
  const props = { heat, rows, shown: [0, 1, 2], metric, cell: 1, beside };
  assert.equal(profileSentence(props, 0), "a · Gradient norm = 2 · in twin\\u202e 0.5");
  assert.equal(profileSentence(props, 1), "b · Gradient norm = 4 · in twin\\u202e NaN");
  assert.equal(profileSentence(props, 2), "c · Gradient norm = 6 · in twin\\u202e no such row");
  const sheet = profileSheet(heat, rows, [0, 1, 2], metric, 1, beside);
  assert.equal(sheet.columns.length, 9);
  assert.deepEqual(
    sheet.rows.map((row) => row.slice(7)),
    [
      [0.5, null],
      [Number.NaN, null],
      [null, null],
    ],
  );
  assert.equal(profileSheet(heat, rows, [0], metric, 1).columns.length, 5);
});

test("the profile offers gradient, update ratio and output std where they are known", () => {
  const metric = (/** @type {string} */ name) => /** @type {any} */ ({ name });
  const groups = /** @type {any} */ ([
    { group: "variables", metrics: [metric("variable_norm"), metric("gradient_norm")] },
    { group: "activations", metrics: [metric("activation_std")] },
  ]);
  assert.deepEqual(
    profileMetrics(groups).map((one) => `${one.group} ${one.metric.name}`),
    ["variables gradient_norm", "activations activation_std"],
  );
});

test("playing goes through all steps in a bounded number of frames and ends", () => {
  for (const [cells, frames] of [
    [1, 120],
    [7, 120],
    [1000, 120],
    [1000, 12],
  ]) {
    const seen = [0];
    for (let cell = nextCell(0, cells, frames); cell >= 0; ) {
      seen.push(cell);
      cell = nextCell(cell, cells, frames);
    }
    assert.equal(seen[seen.length - 1], cells - 1);
    assert.ok(seen.length <= frames + 1);
  }
});

test("the line beneath the map says what a cell holds", () => {
  const heat = decodeHeat(
    heatBytes({
      values: [[0.5, Number.NaN, 2, Number.NaN]],
      codes: [[0, 2, 3, 1]],
      first: [0, 10, 20, 30],
      last: [9, 19, 20, 30],
    }),
  );
  const rows = [/** @type {any} */ ({ name: "a\u202e/kernel" })];
  const metric = /** @type {any} */ ({
    name: "gradient_norm",
    title: "Gradient norm",
    unit: "u",
    scale: "log10",
  });
  const said = [0, 1, 2, 3].map((cell) => readout(heat, rows, metric, { row: 0, cell }));
  assert.deepEqual(said, [
    "a\\u202e/kernel · steps 0 to 9 · Gradient norm = 0.5",
    "a\\u202e/kernel · steps 10 to 19 · NaN",
    "a\\u202e/kernel · step 20 · infinite, finite part 2",
    "a\\u202e/kernel · step 30 · no data",
  ]);
});
