/** The view of experiments: what stands where, in which order, and in which words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { extentOf, linesOf } from "../src/experiments/ablation.js";
import { kindOf, toPaste } from "../src/experiments/diff.js";
import { commandOf } from "../src/experiments/kinds.js";
import { marks, reading } from "../src/experiments/range_test.js";
import { asTable } from "../src/experiments/save.js";
import { frameOf, nearest, pathOf } from "../src/experiments/sweep.js";
import { ofKind } from "../src/experiments/view.js";
import { change, mean, spread, when } from "../src/experiments/words.js";

const rates = [1e-4, 1e-3, 1e-2, 1e-1, 1];
const losses = [2, 1.5, 1, 4, 400];
const sweep = (over = {}) => ({
  optimizer: "SGD",
  rate_in_use: 0.5,
  suggested: 0.01,
  interval: [0.008, 0.02],
  highest_stable: 0.1,
  why_none: "",
  ended: "finished",
  curves: [{ rates, losses, smoothed: losses, diverged: true }],
  unclipped: null,
  ...over,
});

test("a rate stands where its logarithm says, and what diverges leaves the plot", () => {
  const frame = frameOf(sweep(), 700);
  const { plot, across, up } = frame;
  assert.equal(across(1e-4), plot.left);
  assert.ok(Math.abs(across(1) - plot.right) < 1e-9);
  assert.ok(Math.abs(across(1e-2) - (plot.left + plot.right) / 2) < 1e-9);
  assert.ok(up(2) > plot.top && up(2) < up(1), "where it began is within the plot");
  assert.ok(up(400) < plot.top);
  for (const tick of frame.xTicks) assert.ok(tick >= 1e-4 * 0.99 && tick <= 1.01);
});

test("losses that span more than a factor of 100 are on a logarithmic scale", () => {
  assert.equal(frameOf(sweep(), 700).log, false);
  const losses = [300, 30, 3, 0.5, 4000];
  const curves = [{ rates, losses, smoothed: losses, diverged: true }];
  const { log, up, plot } = frameOf(sweep({ curves }), 700);
  assert.ok(log);
  assert.ok(Math.abs(up(300) - up(30) - (up(30) - up(3))) < 1e-6, "tenfold is one distance");
  assert.ok(up(0.5) < plot.bottom && up(300) > plot.top && up(4000) < plot.top);
  assert.equal(up(0), plot.bottom, "what has no logarithm is at the bottom");
});

test("a rate in use outside the sweep is still drawn; one that is far away is not", () => {
  assert.ok(frameOf(sweep({ rate_in_use: 30 }), 700).rates[1] > 30);
  assert.ok(frameOf(sweep({ rate_in_use: 1e-5 }), 700).rates[0] < 1e-5);
  assert.equal(frameOf(sweep({ rate_in_use: 1e9 }), 700).rates[1], 1);
});

test("a loss that is not finite is a gap, and a sweep without losses is no chart", () => {
  const frame = frameOf(sweep(), 700);
  assert.equal(pathOf(rates, [2, null, 1, 1, 1], frame).match(/M/g).length, 2);
  assert.equal(pathOf([null, 0, -1], [1, 1, 1], frame), "");
  const none = [null, null, null, null, null];
  assert.equal(frameOf(sweep({ curves: [{ rates, losses: none, smoothed: none }] }), 700), null);
  assert.equal(frameOf(sweep({ curves: [] }), 700), null);
});

test("the pointer reads the nearest rate", () => {
  const frame = frameOf(sweep(), 700);
  assert.equal(nearest(sweep(), frame.across(1e-3) + 3, frame), 1);
  assert.equal(nearest(sweep({ curves: [] }), 10, frame), -1);
  assert.equal(reading(sweep(), 2), "Learning rate 0.01: loss 1 smoothed, 1 recorded");
});

test("rates are named with what single seeds suggest; unknown ones are left out", () => {
  assert.deepEqual(
    marks(sweep()).map(({ text, name }) => `${text} ${name}`),
    ["0.01 suggested (single seeds: 0.008 to 0.02)", "0.1 highest stable rate", "0.5 in use"],
  );
  assert.deepEqual(marks(sweep({ suggested: null, highest_stable: null, rate_in_use: null })), []);
});

const effect = (id, mean_, over = {}) => ({
  id,
  title: `with ${id}`,
  control: false,
  values: [0.6 + mean_, 0.6 + mean_],
  mean: mean_,
  low: mean_ - 0.05,
  high: mean_ + 0.05,
  helps: mean_ > 0.05,
  hurts: mean_ < -0.05,
  ...over,
});
const ablation = (over = {}) => ({
  measure: "accuracy",
  steps: 100,
  baseline: 0.1,
  ended: "finished",
  unchanged: [0.6, 0.6],
  effects: [
    effect("worse", -0.2),
    effect("lost", 0, { values: [null, 0.5], mean: null, low: null, high: null }),
    effect("same", 0.01),
    effect("better", 0.3),
  ],
  left_out: [],
  ...over,
});

test("changes stand from best to worst around the unchanged program", () => {
  const lines = linesOf(ablation());
  assert.deepEqual(
    lines.map(({ title, word }) => [title, word]),
    [
      ["with better", "better"],
      ["with same", "no difference"],
      ["Unchanged", ""],
      ["with worse", "worse"],
      ["with lost", "diverges"],
    ],
  );
  const [best] = lines;
  assert.ok(Math.abs(best.interval[0] - 0.85) < 1e-9 && Math.abs(best.interval[1] - 0.95) < 1e-9);
  assert.equal(lines.at(-1).lost, 1);
  assert.equal(lines.at(-1).interval, null);
});

test("a loss is shown as a loss: lower is better, and intervals keep their order", () => {
  const data = ablation({
    measure: "loss",
    unchanged: [-2, -2],
    effects: [effect("better", 0.5, { values: [-1.5, -1.5], low: 0.4, high: 0.6 })],
  });
  const [best, unchanged] = linesOf(data);
  assert.equal(best.mean, 1.5);
  assert.deepEqual(
    best.interval.map((end) => Math.round(end * 10) / 10),
    [1.4, 1.6],
  );
  assert.equal(best.against, -0.5);
  assert.equal(best.word, "better");
  assert.equal(unchanged.mean, 2);
});

test("the axis of an accuracy ends at 0 and 1", () => {
  const [low, high] = extentOf(linesOf(ablation({ unchanged: [0, 0.01] })), "accuracy");
  assert.ok(low >= 0 && high <= 1);
  assert.deepEqual(extentOf([], "loss"), [0, 1]);
});

test("words and numbers", () => {
  assert.equal(spread([0.61, null, 0.63]), "0.61 to 0.63, 1 of 3 diverged");
  assert.equal(spread([null, null]), "2 of 2 diverged");
  assert.equal(spread([]), "–");
  assert.equal(mean([null]), null);
  assert.equal(change(-0.25), "−0.25");
  assert.equal(change(0), "0");
  assert.equal(when(0), "");
  assert.equal(when(Number.NaN), "");
  assert.deepEqual(["--- a", "+++ b", "@@ 1", "+x", "-x", " x"].map(kindOf), [
    "place",
    "place",
    "place",
    "added",
    "removed",
    "",
  ]);
});

test("lines to add are copied without their marks, a diff as it is", () => {
  assert.equal(toPaste("+ a = 1\n+   b()"), "a = 1\n  b()");
  const diff = "--- train.py\n+++ train.py\n@@ -1 +1 @@\n-a\n+b";
  assert.equal(toPaste(diff), diff);
});

test("a run's name that a shell could misread is not put into a command", () => {
  assert.equal(
    commandOf("lr_range_test", "sweep/lr-0.1"),
    "tb-convergence doctor --only lr-range-test --logdir LOGDIR/sweep/lr-0.1 train.py",
  );
  assert.equal(commandOf("doctor", "."), "tb-convergence doctor --logdir LOGDIR train.py");
  for (const run of ["a b", "$(rm -rf ~)", "a;b", "`x`", "-x\n"]) {
    assert.match(commandOf("doctor", run), /LOGDIR\/RUN/);
  }
});

test("a table holds every number with the way to it", () => {
  const reply = {
    schema: 1,
    run: "a",
    total: 1,
    experiments: [
      {
        kind: "lr_range_test",
        summary: "=cmd",
        step: 3,
        wall_time: 1,
        verdicts: [],
        data: sweep(),
      },
    ],
  };
  const lines = asTable(reply).split("\r\n");
  assert.equal(lines[0], '"experiment","kind","part","value"');
  assert.ok(lines.includes('0,"lr_range_test","curves[0].rates[2]",0.01'));
  assert.ok(lines.includes('0,"lr_range_test","summary","\'=cmd"'), "no formula");
  assert.equal(ofKind(reply, "doctor").length, 0);
});
