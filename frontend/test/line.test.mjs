/** The range of a line chart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { padded, withHealthy, xTicks, yTicks } from "../src/charts/line_scales.js";
import { formatTick } from "../src/format/numbers.js";

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

test("what hardly varies looks so: a flat line on a linear scale, from zero where nothing varies", () => {
  assert.deepEqual(padded(260.6, 260.6, false).map(Math.round), [0, 300]);
  assert.deepEqual(padded(-2, -2, false).map(Math.round), [-2, 0]);
  assert.deepEqual(padded(0.00140984, 0.00140985, false)[0], 0, "rounding noise");
  for (const [low, high] of [
    [0.68, 0.682],
    [-100, -99.5],
    [1e-9, 1.004e-9],
  ]) {
    const [from, to] = padded(low, high, false);
    const share = (high - low) / (to - from);
    assert.ok(share > 0.01 && share < 0.15, `${low}: ${share} of the height`);
    assert.ok(Math.abs(to - high - (low - from)) < (to - from) * 1e-6, "in the middle");
  }
  const [from, to] = padded(9, 10, false);
  assert.ok((10 - 9) / (to - from) > 0.85, "what varies fills the height");
});

test("no two ticks of a scale have the same label", () => {
  for (let power = -12; power <= 9; power += 1) {
    for (const first of [1, 1.005, 1.40985, 3.3, 9.98]) {
      for (const vary of [0, 1e-9, 1e-4, 2e-3, 0.02, 0.3, 5]) {
        for (const height of [80, 130, 300, 460]) {
          const low = first * 10 ** power;
          const y = padded(low, low * (1 + vary), false);
          const ticks = yTicks(
            /** @type {any} */ ({ log: false }),
            /** @type {any} */ ({ plot: { height }, known: true, y }),
          );
          const labels = ticks.map(formatTick);
          assert.ok(labels.length >= 2, `${low} ${vary}`);
          assert.equal(new Set(labels).size, labels.length, `${labels}`);
        }
      }
    }
  }
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
