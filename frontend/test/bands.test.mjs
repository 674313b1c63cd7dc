/** How entries are spread: bands from histograms and from single statistics, their scale, their words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, sentence } from "../src/charts/bands.js";
import { between, shades } from "../src/charts/color_scale.js";
import { axisSpans } from "../src/charts/pool.js";
import { colorRange, positionIn } from "../src/charts/ranges.js";
import { signedPosition, signedScale, signedTicks } from "../src/charts/signed_scale.js";
import { allowedBands, recordedBands } from "../src/data/bands.js";
import { decodeHeat, INFINITE, NAN, NO_DATA, VALUE } from "../src/data/decode.js";
import { counterpart } from "../src/state/selection.js";
import { sentences } from "../src/views/initialization.js";
import { heatBytes } from "./heat_bytes.mjs";

const logged = (/** @type {any} */ over = {}) =>
  /** @type {any} */ ({
    of: "gradient",
    axis: "step",
    records: 6,
    first_steps: [0, 10, 20],
    last_steps: [9, 19, 29],
    codes: [0, 2, 1],
    bands: [
      { share: 1, low: [-4, -3, null], high: [4, 3, null] },
      { share: 0.9, low: [-2, -2, null], high: [2, 2, null] },
      { share: 0.5, low: [-1, -1, null], high: [1, 1, null] },
      { share: 0, low: [0, 0, null], high: [0, 0, null] },
    ],
    ...over,
  });

test("logged histograms become named bands, the widest first", () => {
  const data = recordedBands(logged());
  assert.deepEqual(
    data.bands.map((band) => band.name),
    ["all", "90%", "half", "median"],
  );
  assert.deepEqual([...data.edges], [0, 10, 20, 30]);
  assert.equal(data.scale.unit, null, "sizes are alike");
  assert.equal(
    sentence(data, 0),
    "steps 0 to 9 · all -4 … 4 · 90% -2 … 2 · half -1 … 1 · median 0",
  );
  assert.match(sentence(data, 1), /^steps 10 to 19 · NaN · all -3 … 3/);
  assert.equal(sentence(data, 2), "steps 20 to 29 · no data");
  assert.match(sentence(recordedBands(logged({ axis: "epoch" })), 0), /^epochs 0 to 9/);
});

const reply = (/** @type {any[]} */ columns, /** @type {any} */ over = {}) =>
  /** @type {any} */ ({
    exact: true,
    axis: "step",
    steps: [0, 10],
    row: { shape: [5, 20] },
    columns: columns.map(([name, low]) => ({ name, low, high: null, nonfinite: [] })),
    ...over,
  });

test("without histograms, the limits that single statistics set", () => {
  const [gradient, weights] = allowedBands(
    reply([
      ["gradient_max", [3, 4]],
      ["gradient_norm", [10, null]],
      ["gradient_nan_fraction", [0, 0.5]],
      ["variable_mean", [1, 1]],
      ["variable_std", [0.5, 0.25]],
    ]),
  );
  assert.equal(gradient.recorded, false);
  assert.deepEqual(gradient.bands[0].low, [-3, -4]);
  assert.deepEqual(gradient.bands[1].high, [1, null], "10 / √100");
  assert.deepEqual(gradient.codes, [VALUE, NAN]);
  assert.deepEqual(weights.bands[0].low, [0.5, 0.75]);
  assert.deepEqual(weights.bands[0].high, [1.5, 1.25]);
  const [outputs] = allowedBands(
    reply([
      ["activation_mean", [null, 1]],
      ["activation_std", [1, 1]],
      ["activation_max_abs", [null, 3]],
      ["activation_inf_fraction", [0, 1]],
    ]),
  );
  assert.deepEqual(outputs.codes, [NO_DATA, INFINITE]);
  assert.deepEqual(outputs.bands[1].high, [null, 2]);
});

const outputs = (/** @type {string} */ activation, /** @type {any[]} */ ...columns) =>
  allowedBands(
    reply(
      ["mean", "std", "max_abs"].map((name, at) => [`activation_${name}`, columns[at]]),
      { row: { shape: [5, 20], activation } },
    ),
  )[0];

test("no output is drawn where its activation cannot put one", () => {
  const relu = outputs("relu", [0.5, 1], [1, 0.5], [3, 2]);
  assert.deepEqual(relu.bands[0], { name: "0 to largest", low: [0, 0], high: [3, 2] });
  assert.deepEqual(relu.bands[1].low, [0, 0.5]);
  const sigmoid = outputs("sigmoid", [0.9, 0.5], [0.2, 0.1], [1, 0.7]);
  assert.deepEqual(sigmoid.bands[1].high, [1, 0.6]);
  assert.ok(sigmoid.scale.low > -0.1, "no room for what cannot be");
  assert.deepEqual(outputs("tanh", [0.9, 0], [0.2, 1], [1, 1]).bands[1].low, [0.7, -1]);
  assert.deepEqual(outputs("linear", [0, 0], [1, 1], [3, 3]).bands[0].low, [-3, -3]);
  assert.deepEqual(outputs("constructor", [0, 0], [1, 1], [3, 3]).bands[0].low, [-3, -3]);
  // A layer whose outputs are below 0 on average is more than its ReLU.
  assert.deepEqual(outputs("relu", [0.5, -1], [1, 1], [3, 3]).bands[0].low, [-3, -3]);
});

test("entries that are all one number at all records are said, not drawn", () => {
  assert.equal(outputs("relu", [0, 0], [0, 0], [0, 0]).steady, 0);
  assert.equal(outputs("softmax", [1, null], [0, null], [1, null]).steady, 1);
  assert.equal(outputs("relu", [0, 1], [0, 0], [0, 1]).steady, null, "another number later");
  assert.equal(outputs("relu", [0.5, 0.5], [0.5, 0.5], [1, 1]).steady, null);
  const gradient = [
    ["gradient_max", [0, 0]],
    ["gradient_norm", [0, 0]],
  ];
  assert.equal(allowedBands(reply(gradient))[0].steady, 0);
  const damaged = [...gradient, ["gradient_nan_fraction", [0, 0.5]]];
  assert.equal(allowedBands(reply(damaged))[0].steady, null);
  const flat = [
    { share: 1, low: [-1, -1, -1], high: [1, 1, 1] },
    { share: 0, low: [0, 0, 0], high: [0, 0, 0] },
  ];
  const codes = [0, 0, 0];
  assert.equal(recordedBands(logged({ bands: flat, codes })).steady, null, "only the median");
  assert.equal(recordedBands(logged({ bands: flat.slice(1), codes })).steady, 0);
});

test("nothing is made of what is only known as an interval, or not at all", () => {
  const all = [
    ["gradient_max", [1, 1]],
    ["gradient_norm", [1, 1]],
  ];
  assert.deepEqual(allowedBands(reply(all, { exact: false })), []);
  assert.deepEqual(allowedBands(reply(all.slice(0, 1))), []);
  assert.deepEqual(allowedBands(reply(all, { row: { shape: [0, 3] } })), []);
});

test("a pixel shows the widest band and the worst code of its steps", () => {
  const count = 1000;
  const low = Array.from({ length: count }, (_, at) => (at === 777 ? -50 : -1));
  const codes = Array.from({ length: count }, (_, at) => (at === 333 ? NAN : VALUE));
  const edges = Float64Array.from({ length: count + 1 }, (_, at) => at);
  const bands = [{ name: "all", low, high: low.map((value) => -value) }];
  const drawn = columnsOf(/** @type {any} */ ({ bands, codes }), axisSpans(edges, 0, count, 50));
  assert.equal(Math.min(...drawn.ends[0].low), -50);
  assert.equal(Math.max(...drawn.ends[0].high), 50);
  assert.deepEqual(
    [...drawn.codes].flatMap((code, x) => (code ? [[x, code]] : [])),
    [[16, NAN]],
  );
});

test("a scale for both signs tells small sizes apart beside large ones", () => {
  const scale = signedScale(-1000, 1000, 0.01);
  const at = (/** @type {number} */ value) => signedPosition(value, scale);
  assert.ok(Math.abs(at(0) - 0.5) < 1e-12);
  assert.ok(at(0.1) - at(0.01) > 0.05);
  assert.ok(Math.abs(at(-5) - (1 - at(5))) < 1e-12);
  let before = -1;
  for (const value of [-1000, -1, -0.01, 0, 0.001, 0.5, 20, 1000]) {
    assert.ok(at(value) > before && at(value) >= 0 && at(value) <= 1);
    before = at(value);
  }
  const ticks = signedTicks(scale, 6);
  assert.ok(ticks.includes(0) && ticks.length <= 7 && ticks.length >= 3);
  assert.deepEqual(
    [...ticks].sort((a, b) => a - b),
    ticks,
  );
  for (let power = 2; power < 20; power += 1) {
    const far = signedScale(-(10 ** power), 3 * 10 ** power, 1);
    const places = signedTicks(far, 8).map((value) => signedPosition(value, far) * 8);
    const gaps = places.slice(1).map((place, index) => place - places[index]);
    assert.ok(gaps.length > 1 && Math.min(...gaps) > 0.5, `labels apart: ${gaps}`);
  }
  assert.equal(signedScale(-1, 1, 0.5).unit, null);
  assert.deepEqual(signedScale(Infinity, -Infinity, 0), { low: -1, high: 1, unit: null });
  const point = signedScale(3, 3, 0);
  assert.ok(point.low < 3 && point.high > 3);
});

test("a diverging scale has its middle at the metric's center", () => {
  const metric = /** @type {any} */ ({
    name: "gradient_trend",
    unit: "d",
    scale: "linear",
    center: 0,
  });
  const heat = (/** @type {number[]} */ values) => {
    const decoded = decodeHeat(heatBytes({ values: [values] }));
    decoded.header.minimum = Math.min(...values);
    decoded.header.maximum = Math.max(...values);
    return decoded;
  };
  const calm = colorRange(heat([-0.1, 0.2, 0.05]), metric);
  assert.deepEqual([calm.low, calm.high, calm.diverging], [-1, 1, true]);
  const steep = colorRange(heat([-4, 0.2, 1]), metric);
  assert.deepEqual([steep.low, steep.high], [-4, 4]);
  assert.equal(positionIn(steep)(0), 0.5);
  const stops = /** @type {any} */ ([
    [0, 0, 255],
    [255, 255, 255],
    [255, 128, 0],
  ]);
  assert.deepEqual(between(stops, 0.5), [255, 255, 255]);
  assert.equal(shades(stops).length, 256);
});

test("the counterpart of a weight is its layer's output, and the other way round", () => {
  const row = (/** @type {string} */ name, /** @type {string} */ layer, kind = "kernel") =>
    /** @type {any} */ ({ name, layer, kind });
  const groups = /** @type {any} */ ([
    { group: "variables", rows: [row("a/b", "a", "bias"), row("a/k", "a"), row("c/k", "c")] },
    { group: "activations", rows: [row("a", "a", "output"), row("d", "d", "output")] },
  ]);
  assert.deepEqual(counterpart(groups, "variables", 0), { group: "activations", index: 0 });
  assert.deepEqual(counterpart(groups, "activations", 0), { group: "variables", index: 1 });
  assert.equal(counterpart(groups, "variables", 2), null);
  assert.equal(counterpart(groups, "inputs", 0), null);
  assert.equal(counterpart(groups.slice(0, 1), "variables", 0), null);
});

const start = (/** @type {any} */ over = {}) =>
  /** @type {any} */ ({
    step: 0,
    low: 0.05,
    high: 0.05,
    mean: 0,
    expected: { std: 0.1, formula: "√(2 / (fan_in + fan_out))" },
    fans: [100, 100],
    verdict: "narrower",
    healthy: { low: 0.01, high: 1, rule: "poor-initialization" },
    ...over,
  });
const glorot = /** @type {any} */ ({ initializer: "Glorot\u202eUniform" });
const told = (/** @type {any} */ over, row = glorot) =>
  sentences(start(over), row, over?.axis ?? "step").join(" ");

test("how a variable started is said in words", () => {
  assert.match(told({}), /deviation of 0\.05 around a mean of 0\./);
  assert.match(
    told({}),
    /Glorot\\u202eUniform gives 0\.1 = .* 100 inputs and 100 outputs\. The recorded value is 0\.5 times that, narrower than chance explains: .* changed since\.$/,
  );
  assert.match(
    told({ verdict: "as expected" }),
    /a mean of 0\. That matches Glorot\\u202eUniform: 0\.1 = .* 100 outputs\.$/,
  );
  assert.match(told({ step: 40 }), /^First recorded at step 40, so training may/);
  assert.match(told({ axis: "epoch" }), /^First recorded at epoch 0/);
  assert.match(
    told({ low: 0.001, high: 0.002 }),
    /between 0\.001 and 0\.002.*too narrow for this shape: below 0\.01 signals fade/,
  );
  const wide = {
    low: 2,
    high: 2,
    expected: { std: 2, formula: "stddev=2" },
    verdict: "as expected",
  };
  assert.match(
    told(wide),
    /of 2 around.*That matches .*: stddev=2\. This is too wide for this shape: above 1 signals grow/,
  );
  for (const fine of [{}, { ...wide, step: 40 }, { ...wide, healthy: null }, { low: 0.005 }]) {
    assert.doesNotMatch(told(fine), /too/);
  }
  assert.match(told({ expected: null }), /Glorot.*is unknown\./);
  assert.match(
    told({ expected: null }, /** @type {any} */ ({ initializer: "" })),
    /initializer is unknown\./,
  );
  const zeros = {
    expected: { std: 0, formula: "a constant" },
    low: 0,
    high: 0,
    verdict: "as expected",
    healthy: null,
  };
  assert.match(told(zeros), /sets all entries to one value\.$/);
  assert.match(told({ ...zeros, low: 1, high: 1, verdict: "wider" }), /and they differ/);
});
