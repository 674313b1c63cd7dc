/** The keyboard on curves: where keys lead, and what is said there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { moved, pointsOf, spoken } from "../src/charts/line_keys.js";
import { formatNumber, formatPercent } from "../src/format/numbers.js";

/** @param {Partial<import("../src/charts/line.js").Line>} line */
const line = (line) => ({ id: "a", label: "Loss", color: "#000", x: [], y: [], bad: [], ...line });
const props = (/** @type {any[]} */ lines, more = {}) =>
  /** @type {import("../src/charts/line.js").LineProps} */ (
    /** @type {unknown} */ ({
      lines,
      extent: [0, 100],
      formatX: String,
      formatY: formatNumber,
      unit: "step",
      ...more,
    })
  );

test("the points of all lines are places, each once, those out of view are not", () => {
  const lines = [line({ x: [0, 10, 20] }), line({ x: [5, 10, Number.NaN, 200] })];
  assert.deepEqual(pointsOf(props(lines)), [0, 5, 10, 20]);
});

test("keys lead along the points and stop at the ends", () => {
  const xs = [0, 5, 10, 20];
  assert.equal(moved("ArrowRight", xs, 5, false), 10);
  assert.equal(moved("ArrowLeft", xs, 0, false), 0);
  assert.equal(moved("PageDown", xs, 0, false), 20);
  assert.equal(moved("Home", xs, 20, false), 0);
  assert.equal(moved("End", xs, 0, false), 20);
  assert.equal(moved("ArrowRight", xs, 11, true), 10, "the first movement only arrives");
  assert.equal(moved("x", xs, 0, false), null);
});

test("each line is said once, with what has no place on the scale", () => {
  const lines = [
    line({ x: [0, 10], y: [0.123456, null], alpha: 0.3, id: "a raw" }),
    line({ x: [0, 10], y: [7, 8], bad: [{ x: 10, kind: "NaN" }] }),
    line({ id: "norm", label: "Norm", x: [0, 10], y: [1, 4], high: [1, 6] }),
    line({ id: "val", label: "Validation", x: [5], y: [7] }),
  ];
  assert.equal(spoken(props(lines), 0), "step 0: Loss 0.123, Norm 1");
  assert.equal(spoken(props(lines), 10), "step 10: Loss NaN, Norm 4 to 6");
  assert.equal(spoken(props(lines), 7), "step 7: no value");
});

test("a share is said in per cent", () => {
  const lines = [line({ label: "Zero", x: [0], y: [0.25] })];
  assert.equal(spoken(props(lines, { formatY: formatPercent, unit: "" }), 0), "0: Zero 25%");
});
