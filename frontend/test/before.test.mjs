/** What changed just before an onset, and how it is said. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { changesBefore, moveOf } from "../src/data/before.js";
import { decodeHeat } from "../src/data/decode.js";
import { changeWords } from "../src/views/before.js";
import { heatBytes } from "./heat_bytes.mjs";

/** @param {string} name @param {number[]} steps @param {(number | null)[]} values @param {[number, string][]} [nonfinite] */
const series = (name, steps, values, nonfinite = []) =>
  /** @type {any} */ ({ name, axis: "step", steps, values, nonfinite });
const steps = Array.from({ length: 30 }, (_, at) => 2 * at);
const flat = (/** @type {number} */ value) => steps.map(() => value);
const upTo = (/** @type {number} */ at, /** @type {number} */ low, /** @type {number} */ high) =>
  steps.map((step) => (step < at ? low : high));

test("the largest relative change comes first, what is constant last", () => {
  const found = changesBefore(
    [
      series("loss", steps, upTo(20, 1, 1.5)),
      series("window_loss_max", steps, upTo(20, 1.2, 9)),
      series("window_loss_min", steps, upTo(20, 0.8, 1)),
      series("learning_rate", steps, upTo(20, 0.02, 1)),
      series("gradient_global_norm", steps, flat(3)),
    ],
    { ratio: null, scale: null },
    [],
    20,
    [],
  );
  assert.ok(found);
  assert.deepEqual(
    found.changes.map(({ id }) => id),
    ["learning_rate", "loss", "gradient_global_norm"],
  );
  assert.deepEqual([found.previous, ...found.span], [18, 4, 36], "eight records to each side");
  const [rate, loss, norm] = found.changes;
  assert.equal(loss.high?.[loss.index], 9, "the extremes between records are drawn");
  assert.equal(loss.low?.[loss.index], 1);
  const say = (/** @type {any} */ change) => changeWords(change, found, "step");
  assert.deepEqual(say(rate), { head: "×50", detail: "0.02 → 1" });
  assert.deepEqual(say(loss), { head: "×1.5", detail: "1 → 1.5" });
  assert.deepEqual(say(norm), { head: "constant", detail: "3" });
});

test("a much larger change before the onset is told with its steps", () => {
  const rate = series("learning_rate", steps, upTo(14, 0.02, 1));
  const loss = series("loss", steps, upTo(20, 1, 1.1));
  const found = changesBefore([loss, rate], { ratio: null, scale: null }, [], 20, []);
  assert.ok(found);
  assert.deepEqual(changeWords(found.changes[0], found, "step"), {
    head: "×50",
    detail: "0.02 → 1 at steps 12–14",
  });
});

test("noise before the onset does not take its place", () => {
  assert.deepEqual(moveOf([1, 1.2, 1, 1.3, 1, 2], 5), {
    from: 4,
    to: 5,
    before: 1,
    after: 2,
    orders: Math.log10(2),
  });
  assert.equal(moveOf([1, 1, 1], 2), null);
  assert.equal(moveOf([0.1, 0.1000000001], 1), null, "the last bits are no change");
  assert.equal(moveOf([1, 5], 0), null, "nothing before it");
});

test("what is no longer finite is told before anything else", () => {
  const values = steps.map((step) => (step < 20 ? 1 : null));
  const bad = steps.flatMap((step, at) =>
    step < 20 ? [] : [/** @type {[number, string]} */ ([at, "NaN"])],
  );
  const found = changesBefore(
    [series("loss", steps, values, bad), series("learning_rate", steps, upTo(20, 0.1, 50))],
    { ratio: null, scale: null },
    [],
    20,
    [],
  );
  assert.ok(found);
  assert.deepEqual(changeWords(found.changes[0], found, "step"), {
    head: "becomes NaN",
    detail: "1 → NaN",
  });
});

test("of the weights the row furthest from its limits is drawn, the finding's first", () => {
  const ratio = decodeHeat(
    heatBytes({
      values: [
        [0.01, 0.01, 0.3, 0.3],
        [0.01, 0.01, 0.5, 0.5],
        [9, 9, 9, 9],
      ],
      header: {
        metric: "update_ratio",
        bands: [{ low: 1e-4, high: 0.1, rule: "r" }],
        row_bands: [0, 0, -1],
      },
    }),
  );
  const rows = ["a", "b", "bias"].map((layer) => ({ layer, name: `${layer}/kernel` }));
  const groups = /** @type {any} */ ([{ group: "variables", rows }]);
  const loss = series("loss", [0, 10, 20, 30], [1, 1, 1, 1]);
  const layer = (/** @type {string[]} */ named) =>
    changesBefore([loss], { ratio, scale: null }, groups, 20, named)?.changes.find(
      ({ id }) => id === "update_ratio",
    );
  assert.equal(layer([])?.layer, "b", "a row without limits is never the worst");
  assert.equal(layer(["a"])?.layer, "a");
  assert.equal(layer([])?.limits?.high, 0.1);
});

test("a finding that holds from the first record on has nothing before it", () => {
  const found = changesBefore(
    [series("loss", steps, flat(1))],
    { ratio: null, scale: null },
    [],
    0,
    [],
  );
  assert.equal(found?.previous, null);
  assert.equal(changesBefore([], { ratio: null, scale: null }, [], 0, []), null);
});
