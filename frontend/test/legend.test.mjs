/** What stands beside a curve: the value that was measured, and the smoothed one by its name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeKinds } from "../src/charts/line_marks.js";
import { frameOf } from "../src/charts/line_scales.js";
import { place } from "../src/data/axes.js";
import { chosenSeries, curves, fallsBelow } from "../src/data/curves.js";
import { overlayKey, overlayLines } from "../src/model/overlays.js";
import { DEFAULT_VIEW } from "../src/state/state.js";
import { edgeWord } from "../src/views/edge_key.js";
import { legendItems } from "../src/views/legend_items.js";

const PALETTE = /** @type {any} */ ({ series: ["#111111"], soft: "#333333" });
const COLORS = { run: "#444444", partner: "#555555" };

/** @param {string} name @param {number} count @returns {any} */
const series = (name, count) => ({
  name,
  title: name,
  unit: "",
  scale: "linear",
  axis: "step",
  source: "recorder",
  steps: Array.from({ length: count }, (_, at) => at),
  values: Array.from({ length: count }, (_, at) => (at % 2 ? 3 : 1)),
  wall_times: Array.from({ length: count }, (_, at) => 1e9 + at),
  nonfinite: [],
});

/** @param {any[]} all @param {Partial<import("../src/types.js").View>} view */
function items(all, view) {
  const whole = { ...DEFAULT_VIEW, ...view };
  const picked = chosenSeries(all, "loss");
  const placement = place(picked, "step");
  const beside = [{ run: "other", picked: [picked[0]], placement, error: null }];
  const lines = [
    ...curves(picked, placement, whole, false, COLORS, PALETTE),
    ...overlayLines(beside, whole, false, () => "#666666", PALETTE),
  ];
  const time = /** @type {any} */ ({ picked, placement, beside, chart: { lines } });
  return legendItems(time, whole.hidden, () => "#666666");
}

test("a smoothed curve has its value and the smoothed one, which differ; so has an overlaid run", () => {
  const [loss, rate, other] = items([series("loss", 40), series("learning_rate", 40)], {
    smoothing: 0.9,
  });
  assert.equal(loss.series?.values[39], 3, "what was measured");
  const last = loss.smoothed?.[39] ?? 0;
  assert.ok(last > 1.5 && last < 2.5, `the average of 1 and 3, not ${last}`);
  assert.equal(other.smoothed?.[39], last);
  assert.equal(rate.smoothed, null, "a rate is drawn as it is");
});

test("nothing is called smoothed where no curve is: off, too short, or hidden", () => {
  assert.equal(items([series("loss", 40)], { smoothing: 0 })[0].smoothed, null);
  assert.equal(items([series("loss", 20)], { smoothing: 0.9 })[0].smoothed, null);
  const hidden = ["loss", overlayKey("other")];
  const both = items([series("loss", 40)], { smoothing: 0.9, hidden });
  assert.deepEqual(
    both.map((one) => one.smoothed),
    [null, null],
  );
});

test("one value an epoch is drawn as it is, whatever its axis counts", () => {
  const all = ["loss", "epoch_loss", "validation_loss"].map((name) => series(name, 40));
  all[1].values[0] = 30_000;
  const drawn = curves(all, place(all, "step"), DEFAULT_VIEW, false, COLORS, PALETTE);
  assert.deepEqual(
    drawn.map(({ id }) => id),
    ["loss raw", "loss", "epoch_loss", "validation_loss"],
  );
  assert.ok(DEFAULT_VIEW.smoothing > 0, "else nothing is smoothed");
  assert.deepEqual(drawn[2].y, all[1].values, "no slow descent from one bad epoch");
});

test("a learning rate that never changes is said, one that does is drawn", () => {
  const [loss, steady, moving, gap] = [
    series("loss", 3),
    { ...series("learning_rate", 3), values: [0.1, 0.1, 0.1] },
    { ...series("learning_rate", 3), values: [0.1, 0.1, 0.05] },
    { ...series("learning_rate", 3), values: [0.1, null, 0.1], nonfinite: [[1, "NaN"]] },
  ];
  const ids = (/** @type {any[]} */ all) =>
    curves(all, place(all, "step"), { smoothing: 0, hidden: [] }, false, COLORS, PALETTE).map(
      ({ id }) => id,
    );
  assert.deepEqual(ids([loss, steady]), ["loss"]);
  assert.deepEqual(ids([loss, moving]), ["loss", "learning_rate"]);
  assert.deepEqual(ids([loss, gap]), ["loss", "learning_rate"], "what is NaN once is not constant");
  assert.deepEqual(ids([steady]), ["learning_rate"], "alone it is what there is to see");
  const said = (/** @type {any[]} */ all) => items(all, {}).map(({ constant }) => constant);
  assert.deepEqual(said([loss, steady]), [false, true, false]);
  assert.deepEqual(said([loss, moving]), [false, false, false]);
});

test("the key of the edge's marks lists what is in view, and calls zero by its name", () => {
  const line = (/** @type {any[]} */ bad) => /** @type {any} */ ({ bad });
  const lines = [
    line([
      { x: 1, kind: "nonpositive" },
      { x: 9, kind: "Infinity" },
    ]),
    line([{ x: 2, kind: "NaN" }]),
  ];
  assert.deepEqual(edgeKinds(lines, [0, 5]), ["NaN", "nonpositive"]);
  assert.deepEqual(edgeKinds(lines, [3, 9]), ["Infinity"]);
  assert.deepEqual(edgeKinds([line([])], [0, 5]), []);
  assert.equal(edgeWord("nonpositive", fallsBelow({ values: [0, null, 2] })), "exactly 0");
  assert.equal(edgeWord("nonpositive", fallsBelow({ values: [0, -1] })), "0 or less");
});

test("what is pinned rises where it rises, below zero as above it", () => {
  const values = (/** @type {number[]} */ of) => ({ values: of, steps: [0, 1, 2] });
  const loss = { ...series("loss", 3), ...values([3, 2, 1]) };
  for (const rewards of [
    [-10, -9.8, -9.5],
    [-1500, -600, -150],
    [-2, 0, 3],
    [1, 2, 3],
    [0, 1e-9, 2e-9],
  ]) {
    const pinned = [
      { ...series("reward", 3), ...values(rewards) },
      { ...series("metric/accuracy", 3), ...values([0.1, 0.5, 0.9]) },
    ];
    const all = chosenSeries([loss, ...pinned], "loss", ["reward", "metric/accuracy"]);
    const view = { ...DEFAULT_VIEW, smoothing: 0 };
    const lines = curves(all, place(all, "step"), view, false, COLORS, PALETTE);
    const props = /** @type {any} */ ({
      lines,
      extent: [0, 2],
      gutter: { left: 0, right: 0 },
      log: false,
    });
    const { toY, plot } = frameOf(props, 200, 200);
    for (const line of lines.filter(({ scale }) => scale === "right")) {
      const heights = line.y.map((value) => toY(Number(value), "right"));
      const said = `${rewards} ${line.id}: ${heights}`;
      assert.ok(heights[0] > heights[1] && heights[1] > heights[2], said);
      assert.ok(heights[2] >= plot.top - 1e-6 && heights[0] <= plot.top + plot.height + 1e-6, said);
    }
  }
});

test("a pinned series of one negative value has an axis that is not upside down", () => {
  for (const value of [-10, 0, 4]) {
    const line = {
      id: "a",
      label: "a",
      color: "#000",
      scale: "right",
      x: [0],
      y: [value],
      bad: [],
    };
    const props = /** @type {any} */ ({
      lines: [line],
      extent: [-0.5, 0.5],
      gutter: { left: 0, right: 0 },
      log: false,
    });
    const [low, high] = frameOf(props, 200, 200).right ?? [0, 0];
    assert.ok(low < high && low <= value && value <= high, `${low} to ${high} around ${value}`);
  }
});
