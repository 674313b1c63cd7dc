/** The range of a line chart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { padded, withHealthy, xTicks } from "../src/charts/line_scales.js";

test("a range has room, begins at zero where that is near, and is never empty", () => {
  assert.equal(padded(0.2, 10, false)[0], 0);
  assert.ok(padded(9, 10, false)[0] > 8);
  assert.ok(padded(-5, 10, false)[0] < -5);
  for (const [low, high] of [
    [3, 3],
    [0, 0],
    [-2, -2],
    [1e-30, 1e-30],
  ]) {
    const range = padded(low, high, false);
    assert.ok(range[1] > range[0], `${low}`);
  }
  assert.ok(padded(5, 5, true)[1] > padded(5, 5, true)[0]);
  assert.deepEqual(padded(null, null, true), [0.1, 1]);
});

test("the healthy band is in view however far off the values are", () => {
  const [low, high] = withHealthy([1e-12, 1e-11], { low: 1e-4, high: 1e-1, rule: "r" });
  assert.ok(low === 1e-12 && high > 1e-4);
  assert.ok(withHealthy([10, 100], { low: null, high: 1e-1, rule: "r" })[0] < 1e-1);
  assert.deepEqual(withHealthy([1, 2], null), [1, 2]);
});

test("ticks of steps are whole", () => {
  assert.ok(xTicks("count", 0, 3, 900).every(Number.isInteger));
  assert.ok(xTicks("duration", 0, 7200, 900).every((tick) => tick % 300 === 0));
});
