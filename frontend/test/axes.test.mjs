/** Series on one time axis, and the curves made of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSolid, smooth, trendLine } from "../src/charts/smoothing.js";
import { isUsableClock, place } from "../src/data/axes.js";
import { badPoints, curves, extentOf, logByDefault, readAt } from "../src/data/curves.js";

/** @returns {import("../src/types.js").Series} */
function series(over) {
  const steps = over.steps ?? [0, 10, 20, 30];
  return {
    name: "loss",
    title: "Loss",
    unit: "loss",
    scale: "linear",
    axis: "step",
    source: "recorder",
    steps,
    values: steps.map((_step, index) => 4 - index),
    wall_times: steps.map((_step, index) => 1000 + 5 * index),
    nonfinite: [],
    ...over,
  };
}

const COLORS = { run: "#000000", partner: "#777777" };
const EPOCHS = series({
  name: "validation_loss",
  axis: "epoch",
  steps: [0, 1],
  wall_times: [1005, 1012.5],
});

test("steps are steps", () => {
  const { x, unplaced } = place([series({})], "step");
  assert.deepEqual(x.get("loss"), [0, 10, 20, 30]);
  assert.deepEqual(unplaced, []);
});

test("epochs stand where their wall time is among the steps", () => {
  const placement = place([series({}), EPOCHS], "step");
  assert.deepEqual(placement.x.get("validation_loss"), [10, 25]);
  assert.ok(placement.byWallTime);
});

test("an epoch before the first or after the last record holds to the end", () => {
  const early = series({
    name: "validation_loss",
    axis: "epoch",
    steps: [0, 1],
    wall_times: [1, 9999],
  });
  assert.deepEqual(place([series({}), early], "step").x.get("validation_loss"), [0, 30]);
});

test("epochs without a usable clock are left out, and said to be", () => {
  for (const wall_times of [
    [null, 1010],
    [1010, 1005],
    [0, 1],
  ]) {
    const lost = series({ name: "validation_loss", axis: "epoch", steps: [0, 1], wall_times });
    const placement = place([series({}), lost], "step");
    assert.deepEqual(placement.unplaced, ["validation_loss"]);
    assert.equal(placement.x.has("validation_loss"), false);
  }
});

test("a run that only counts epochs has an axis of epochs", () => {
  const placement = place([EPOCHS], "step");
  assert.ok(placement.epochs);
  assert.deepEqual(placement.x.get("validation_loss"), [0, 1]);
});

test("relative time begins with the run's first record", () => {
  const placement = place([series({}), EPOCHS], "relative");
  assert.deepEqual(placement.x.get("loss"), [0, 5, 10, 15]);
  assert.deepEqual(placement.x.get("validation_loss"), [5, 12.5]);
  assert.equal(placement.fromStep(15), 7.5);
  assert.equal(placement.toStep(7.5), 15);
});

test("without a clock a step has no place in time, rather than a wrong one", () => {
  const placement = place([series({ wall_times: [null, null, null, null] })], "wall");
  assert.ok(Number.isNaN(placement.fromStep(10)));
  assert.deepEqual(placement.unplaced, ["loss"]);
});

test("clocks", () => {
  assert.ok(isUsableClock([5, 5, 6]));
  assert.ok(!isUsableClock([]));
  assert.ok(!isUsableClock([5, Number.NaN]));
});

test("large steps as text keep their order", () => {
  const placement = place([series({ steps: [0, 1, 2, "9007199254740993"] })], "step");
  assert.deepEqual(placement.x.get("loss"), [0, 1, 2, 2 ** 53]);
});

test("of evenly recorded points, smoothing is TensorBoard's", () => {
  const even = Array.from({ length: 9 }, (_, at) => 7 * at);
  // debiased: (0.6 * 0.4 * 1 + 0.4 * 3) / (1 - 0.36), by hand
  close(smooth([1, 3], 0.6, even), [1, (0.6 * 0.4 + 0.4 * 3) / 0.64]);
  assert.deepEqual(smooth([1, 3, 2], 0, even), [1, 3, 2]);
  assert.deepEqual(smooth([0.1, 0.1, 0.1], 0.9, even), [0.1, 0.1, 0.1]);
  assert.deepEqual(smooth([], 0.5, []), []);
  close(smooth([1, 100], 0.6, even, true), [1, 10 ** ((2 * 0.4) / 0.64)]);
});

test("what is not finite is passed through, and what follows is as far away as it is", () => {
  const gap = smooth([1, null, 3, Number.NaN], 0.6, [0, 1, 2, 3]);
  assert.equal(gap[1], null);
  close([gap[2]], [(0.36 * 0.4 + 0.64 * 3) / (0.36 * 0.4 + 0.64)]);
  assert.ok(Number.isNaN(gap[3]));
});

/** A stream of numbers from 0 to 1, the same each time (mulberry32). */
function numbers(/** @type {number} */ seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("smoothing is one of steps: records added within gaps that say the same change nothing", () => {
  const next = numbers(7);
  for (let round = 0; round < 50; round += 1) {
    const [gap, count] = [2 + Math.floor(next() * 20), 60];
    const values = Array.from({ length: count }, () => 10 ** (4 * next() - 2));
    const dense = Math.floor(next() * 39) + 11;
    // Each value held over the gap before it, at random steps of a sixth of the gaps, not the first.
    const all = values.flatMap((value, at) => {
      const within = at >= dense && at < dense + count / 6;
      const before = Array.from({ length: within ? gap - 1 : 0 }, (_, by) => by + 1 - gap);
      const kept = [...before.filter(() => next() < 0.7), 0];
      return kept.map((by) => ({ step: 100 + at * gap + by, value, own: by === 0 }));
    });
    assert.ok(all.length > count || gap < 4);
    const [weight, log] = [next() * 0.98 + 0.01, round % 2 === 0];
    const steps = values.map((_, at) => 100 + at * gap);
    const few = smooth(values, weight, steps, log);
    const many = smooth(
      all.map(({ value }) => value),
      weight,
      all.map(({ step }) => step),
      log,
    ).filter((_, at) => all[at].own);
    close(many, few.map(Number));
  }
});

test("a dense stretch is as smooth a line as the thin ones, and does not change them", () => {
  const next = numbers(3);
  // Each tenth step, then each: the same noise all along.
  const steps = [
    ...Array.from({ length: 40 }, (_, at) => 10 * at),
    ...Array.from({ length: 110 }, (_, at) => 391 + at),
  ];
  const values = steps.map(() => next());
  const drawn = smooth(values, 0.6, steps).map(Number);
  const swing = (
    /** @type {number[]} */ of,
    /** @type {number} */ from,
    /** @type {number} */ to,
  ) =>
    of.slice(from + 1, to).reduce((sum, value, at) => sum + Math.abs(value - of[from + at]), 0) /
    (steps[to - 1] - steps[from]);
  const raw = swing(values, 40, 150) / swing(values, 0, 40);
  assert.ok(raw > 5, `recorded, the dense stretch is a saw: ${raw}`);
  const after = swing(drawn, 40, 150) / swing(drawn, 0, 40);
  assert.ok(after < 2, `the line goes up and down as much in a step everywhere, not ${after}`);
  const thin = smooth(values.slice(0, 40), 0.6, steps.slice(0, 40));
  close(drawn.slice(0, 40), thin.map(Number));
});

test("smoothing does not trail behind sparse records, nor drag a dense start along", () => {
  // Ten dense steps on which a loss explodes, then a record each ten steps, back at 10 at once.
  const steps = [...Array(10).keys(), ...Array.from({ length: 30 }, (_, at) => 20 + 10 * at)];
  const values = steps.map((step) => (step < 10 ? 10 ** (step - 1) : 10));
  const drawn = smooth(values, 0.6, steps, true).map(Number);
  assert.ok(drawn[9] > 1e6, `the dense start is followed, not ${drawn[9]}`);
  assert.ok(drawn[14] < 100, `down with the records at step ${steps[14]}, not ${drawn[14]}`);
  // Mostly dense: one record after a pause as long as all the rest is nearly what was recorded.
  const dense = [...Array(50).keys(), 100];
  const last = smooth(
    dense.map((step) => (step < 50 ? 1000 : 1)),
    0.6,
    dense,
  );
  assert.ok(Number(last.at(-1)) < 1.001, `${last.at(-1)}`);
  const rise = smooth(
    dense.map((step) => (step < 25 ? 0 : 1)),
    0.6,
    dense,
  );
  assert.ok(Number(rise[29]) > 0.9, `the pause does not make the rest lag: ${rise[29]}`);
});

test("smoothing stays within what was recorded, however steps lie", () => {
  const next = numbers(11);
  for (const steps of [
    [0, 0, 0, 0, 5, 5],
    [3, 4, 2 ** 53, 2 ** 53, 2 ** 53 + 2, 2 ** 54],
  ]) {
    const values = steps.map(() => next());
    for (const value of smooth(values, 0.9, steps)) {
      assert.ok(Number(value) >= Math.min(...values) - 1e-12, `${value}`);
      assert.ok(Number(value) <= Math.max(...values) + 1e-12, `${value}`);
    }
  }
});

test("a curve is solid where it is a saw, not for a spike, a jump or slow waves", () => {
  const steps = [...Array(400).keys()];
  const solid = (/** @type {(step: number) => number | null} */ of, log = false) =>
    isSolid(steps.map(of), steps, log);
  const burst = (/** @type {number} */ step) => (step > 300 && step < 330 ? step % 2 : 0.5);
  assert.ok(solid(burst));
  assert.ok(
    solid((step) => 10 ** (8 * burst(step)), true),
    "on the scale that is drawn",
  );
  for (const [name, of] of Object.entries({
    spike: (/** @type {number} */ step) => (step === 200 ? 1e6 : step % 2),
    jump: (/** @type {number} */ step) => (step < 200 ? 0 : 1),
    waves: (/** @type {number} */ step) => Math.sin(step / 8),
    flat: () => 3,
    nothing: () => null,
  })) {
    assert.ok(!solid(of), name);
  }
  assert.ok(!isSolid([], [], false));
  assert.ok(!isSolid([1], [4], true));
});

test("the course is the mean of the middle half of what stands around", () => {
  const next = numbers(5);
  for (let round = 0; round < 20; round += 1) {
    const steps = [0];
    while (steps.length < 150) {
      steps.push(Number(steps.at(-1)) + Math.floor(next() * 5 * (1 + (round % 4))));
    }
    const values = steps.map(() => (next() < 0.1 ? null : 0.5 + next()));
    const reach = Number(steps.at(-1)) / 32;
    const wanted = steps.map((step, at) => {
      if (values[at] === null) return null;
      let around = values
        .filter((value, other) => value !== null && Math.abs(steps[other] - step) <= reach)
        .map(Number)
        .sort((a, b) => a - b);
      // Lowest and highest leave in pairs, until half are left.
      for (let gone = Math.floor(around.length / 4); gone > 0; gone -= 1)
        around = around.slice(1, -1);
      return around.reduce((sum, value) => sum + value, 0) / around.length;
    });
    const found = trendLine(values, steps);
    assert.deepEqual(
      found.map((value) => value === null),
      wanted.map((value) => value === null),
    );
    close(
      found.filter((value) => value !== null),
      wanted.filter((value) => value !== null).map(Number),
    );
  }
  assert.deepEqual(trendLine([], []), []);
  assert.deepEqual(trendLine([3], [7]), [3]);
});

test("a jump is where it was, and a spike or a dense stretch does not bend the course", () => {
  const even = [...Array(320).keys()];
  const jump = even.map((step) => (step < 160 ? step % 2 : 10 + (step % 2)));
  jump[40] = 1e6;
  const drawn = trendLine(jump, even).map(Number);
  assert.ok(Math.max(...drawn.slice(0, 150)) <= 1, "nothing rises ten steps before it");
  assert.ok(Math.min(...drawn.slice(170)) >= 10, "nor trails behind");
  // The same saw, recorded at a fifth of the steps but for one stretch.
  const thin = even.filter((step) => step % 5 === 0 || (step > 100 && step < 150));
  const saw = trendLine(
    thin.map((step) => step % 2),
    thin,
  ).map(Number);
  const [most, least] = [Math.max(...saw), Math.min(...saw)];
  assert.ok(most - least < 0.7, `${least} to ${most} of 0 to 1`);
});

/** @param {(number | null)[]} found @param {number[]} wanted */
function close(found, wanted) {
  assert.equal(found.length, wanted.length);
  found.forEach((value, at) => {
    assert.ok(Math.abs(Number(value) - wanted[at]) < 1e-9 * wanted[at], `${value}`);
  });
}

test("non-finite points keep their place and their kind", () => {
  const one = series({
    values: [1, null, null, -2],
    nonfinite: [
      [1, "NaN"],
      [2, "-Infinity"],
    ],
  });
  assert.deepEqual(badPoints(one, [0, 10, 20, 30], false), [
    { x: 10, kind: "NaN" },
    { x: 20, kind: "-Infinity" },
  ]);
  assert.deepEqual(badPoints(one, [0, 10, 20, 30], true).at(-1), { x: 30, kind: "nonpositive" });
  assert.deepEqual(badPoints(series({ nonfinite: [[99, "NaN"]] }), [0], false), []);
});

test("a logarithmic scale is chosen for many decades, never where a value is not positive", () => {
  assert.equal(logByDefault([series({ values: [1, 1e4, 1, 1] })], "loss"), true);
  assert.equal(logByDefault([series({ values: [1, 9, 1, 1] })], "loss"), false);
  assert.equal(logByDefault([series({ values: [1, 1e9, 0, 1] })], "loss"), false);
  assert.equal(
    logByDefault([series({ name: "learning_rate", values: [1e-9, 1, 1, 1] })], "loss"),
    false,
  );
  assert.equal(logByDefault([], "norms"), true);
});

test("every point is in a curve or among its marks", () => {
  const steps = Array.from({ length: 60 }, (_, step) => step);
  const one = series({
    steps,
    values: steps.map((step) => (step === 5 ? null : step === 9 ? -1 : 1 + step)),
    wall_times: steps,
    nonfinite: [[5, "Infinity"]],
  });
  const palette = /** @type {any} */ ({ series: ["#111111", "#222222"], soft: "#333333" });
  const drawn = curves(
    [one],
    place([one], "step"),
    { smoothing: 0.6, hidden: [] },
    true,
    COLORS,
    palette,
  );
  const [raw, smoothed] = drawn;
  assert.equal(drawn.length, 2);
  const places = new Set(raw.x.filter((_x, index) => raw.y[index] !== null));
  for (const { x } of smoothed.bad) places.add(x);
  assert.equal(places.size, 60);
  assert.deepEqual(raw.bad, [], "marked once, not twice");
  assert.deepEqual(
    curves([one], place([one], "step"), { smoothing: 0, hidden: ["loss"] }, true, COLORS, palette),
    [],
  );
});

test("reading a curve gives the nearest point, non-finite as such", () => {
  const one = series({ values: [4, null, 2, 1], nonfinite: [[1, "NaN"]] });
  assert.deepEqual(readAt(one, [0, 10, 20, 30], 24), { value: 2, index: 2 });
  assert.deepEqual(readAt(one, [0, 10, 20, 30], Infinity), { value: 1, index: 3 });
  assert.ok(Number.isNaN(readAt(one, [0, 10, 20, 30], 11)?.value));
  assert.equal(readAt(one, [], 3), null);
});

test("the axis has width even for one point", () => {
  assert.deepEqual(extentOf([[5]]), [4.5, 5.5]);
  assert.deepEqual(extentOf([[5, 9], [2, 3], []]), [2, 9]);
  assert.equal(extentOf([[]]), null);
});
