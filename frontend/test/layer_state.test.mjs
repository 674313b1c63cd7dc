/** The state of a layer, in the head of its panel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { layerState } from "../src/data/layer_state.js";

const BAND = { low: 1e-4, high: 0.1, rule: "r" };
/** @param {(number | null)[]} low @param {any} [more] */
const column = (low, more = {}) => ({
  name: "update_ratio",
  title: "Update ratio",
  unit: "1",
  scale: "log10",
  healthy: BAND,
  low,
  high: null,
  nonfinite: [],
  ...more,
});
/** @param {any[]} columns */
const reply = (columns) => /** @type {any} */ ({ axis: "step", steps: [0, 10, 20, 30], columns });

test("the statistic outside most often, how often, and where it stands at the step", () => {
  const once = column([0.01, 900, 0.01, 0.01], { name: "once" });
  const near = column([0.01, 0.2, 0.2, 0.01], { name: "near" });
  const state = layerState(reply([once, near, column([0.01, 5, 5, 0.01])]), 25);
  assert.equal(state?.column?.name, "update_ratio");
  assert.deepEqual([state?.side, state?.count, state?.total], ["above", 2, 4]);
  assert.deepEqual([state?.value, state?.at], [5, 20], "the last record at or before the step");
});

test("outside on both sides, below, within, and without limits", () => {
  const side = (/** @type {number[]} */ low) => layerState(reply([column(low)]), null)?.side;
  assert.equal(side([1e-6, 0.01, 5, 0.01]), "outside");
  assert.equal(side([1e-6, 0.01, 0.01, 0.01]), "below");
  const within = layerState(reply([column([0.01, 0.01, null, 0.1])]), null);
  assert.deepEqual([within?.column, within?.total], [null, 3]);
  assert.equal(layerState(reply([column([1], { healthy: null })]), null), null);
});

test("an interval is outside only where all of it is", () => {
  const state = layerState(
    reply([column([0.05, 0.2, 0.05, 0.05], { high: [0.3, 0.5, null, 0.06] })]),
    null,
  );
  assert.deepEqual([state?.count, state?.side], [1, "above"]);
});

test("what ends in NaN is said to have been before it", () => {
  const lost = column([0.01, 0.01, 0.01, null], { nonfinite: [[3, "NaN"]] });
  assert.equal(layerState(reply([lost]), null)?.lost, true);
  assert.equal(layerState(reply([column([0.01, 0.01, 0.01, 0.01])]), null)?.lost, false);
});
