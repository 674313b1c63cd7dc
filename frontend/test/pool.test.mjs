/** Pooling cells into pixels: the worst of what falls into a pixel is what it shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axisSpans, badnessOf, evenSpans, pool, spread, worstByRow } from "../src/charts/pool.js";
import { decodeHeat, NO_DATA } from "../src/data/decode.js";
import { heatBytes } from "./heat_bytes.mjs";

const HIGH = badnessOf("high", false, 0);

/** A small generator with a seed, so that a failure can be replayed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

test("one NaN row among 2,000 is seen in 100 pixels", () => {
  const values = Array.from({ length: 2000 }, () => [1, 1]);
  const codes = Array.from({ length: 2000 }, (_, row) => (row === 1234 ? [2, 2] : [0, 0]));
  const heat = decodeHeat(heatBytes({ values, codes }));
  const order = Array.from({ length: 2000 }, (_, row) => row);
  const grid = pool(heat, order, evenSpans(2000, 100), axisSpans(heat.edges, 0, 20, 50), HIGH);
  const rows = new Set(
    [...grid.codes.keys()].filter((at) => grid.codes[at] === 2).map((at) => Math.floor(at / 50)),
  );
  assert.deepEqual([...rows], [Math.floor(1234 / 20)]);
});

test("one bad step among 10,000 is seen in 100 pixels", () => {
  const steps = Array.from({ length: 10_000 }, (_, step) => step);
  const heat = decodeHeat(
    heatBytes({
      values: [steps.map((step) => (step === 7777 ? 99 : 1))],
      first: steps,
      last: steps,
    }),
  );
  const grid = pool(heat, [0], evenSpans(1, 1), axisSpans(heat.edges, 0, 10_000, 100), HIGH);
  assert.equal(grid.values.indexOf(99), 77);
});

test("NaN beats infinity beats a value beats no data", () => {
  const all = [
    [[0, 1], 0],
    [[0, 3], 3],
    [[3, 2], 2],
    [[1, 2, 0], 2],
    [[1, 1], 1],
    [[1, 3, 0], 3],
  ];
  for (const [codes, expected] of all) {
    const heat = decodeHeat(heatBytes({ values: [codes.map(() => 5)], codes: [codes] }));
    const spans = Int32Array.of(0, codes.length);
    assert.equal(pool(heat, [0], evenSpans(1, 1), spans, HIGH).codes[0], expected);
  }
});

test("which end of the values is worst is the metric's to say", () => {
  const heat = decodeHeat(heatBytes({ values: [[1e-6, 1, 100]] }));
  const shown = (/** @type {(value: number) => number} */ badness) =>
    pool(heat, [0], evenSpans(1, 1), Int32Array.of(0, 3), badness).values[0];
  assert.equal(shown(badnessOf("high", true, 1)), 100);
  assert.equal(shown(badnessOf("low", true, 1)), Math.fround(1e-6));
  assert.equal(shown(badnessOf("both", true, 1)), Math.fround(1e-6), "six decades beat two");
  assert.equal(shown(badnessOf("both", false, 1)), 100);
});

test("an exact zero is the worst of a logarithmic both-ended metric", () => {
  const heat = decodeHeat(heatBytes({ values: [[1e-30, 0, 1e30]] }));
  const grid = pool(heat, [0], evenSpans(1, 1), Int32Array.of(0, 3), badnessOf("both", true, 1));
  assert.equal(grid.values[0], 0);
});

/** Independent of the page: sorts all that a pixel shows. */
function worstOf(shown) {
  const rank = [1, 0, 3, 2];
  return shown.sort((a, b) => rank[b.mark] - rank[a.mark] || b.value - a.value)[0].mark;
}

test("pooling agrees with taking the worst of every cell that a pixel shows", () => {
  const next = random(20261121);
  for (let round = 0; round < 60; round += 1) {
    const [rows, cells] = [1 + Math.floor(next() * 9), 1 + Math.floor(next() * 12)];
    const [height, width] = [1 + Math.floor(next() * 12), 1 + Math.floor(next() * 14)];
    const values = Array.from({ length: rows }, () =>
      Array.from({ length: cells }, () => Math.fround(next())),
    );
    const codes = values.map((row) => row.map(() => (next() < 0.7 ? 0 : Math.floor(next() * 4))));
    const heat = decodeHeat(heatBytes({ values, codes }));
    const order = Array.from({ length: rows }, (_, row) => row).sort(() => next() - 0.5);
    const down = evenSpans(rows, height);
    const across = axisSpans(heat.edges, heat.edges[0], heat.edges[cells], width);
    const grid = pool(heat, order, down, across, HIGH);
    const [rowsOnce, columnsOnce] = [spread(down), spread(across)];
    const once = pool(heat, order, rowsOnce.spans, columnsOnce.spans, HIGH);
    assert.ok(once.codes.length <= Math.min(rows, height) * Math.min(cells, width));
    for (const [pixel, code] of grid.codes.entries()) {
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      const at = rowsOnce.at[y] * once.width + columnsOnce.at[x];
      assert.equal(once.codes[at], code);
      if (code !== NO_DATA) assert.equal(once.values[at], grid.values[pixel]);
      const shown = order
        .slice(down[2 * y], down[2 * y + 1])
        .flatMap((row) =>
          codes[row]
            .map((mark, cell) => ({ mark, value: values[row][cell] }))
            .slice(across[2 * x], across[2 * x + 1]),
        );
      assert.equal(code, worstOf(shown), `round ${round}, pixel ${x}, ${y}`);
    }
  }
});

test("every cell on the axis has at least one pixel, and pixels never go back", () => {
  const edges = Float64Array.of(0, 1, 2, 3, 100, 200, 1000);
  const spans = axisSpans(edges, 0, 1000, 50);
  const seen = new Set();
  let before = 0;
  for (let pixel = 0; pixel < 50; pixel += 1) {
    assert.ok(spans[2 * pixel] >= before - 0);
    before = spans[2 * pixel];
    for (let cell = spans[2 * pixel]; cell < spans[2 * pixel + 1]; cell += 1) seen.add(cell);
  }
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5]);
});

test("pixels beyond the data show nothing", () => {
  const spans = axisSpans(Float64Array.of(100, 200), 0, 400, 4);
  assert.deepEqual([...spans], [-1, -1, 0, 1, -1, -1, -1, -1]);
});

test("a zoomed axis shows only the cells in view", () => {
  const edges = Float64Array.of(0, 10, 20, 30, 40);
  assert.deepEqual([...axisSpans(edges, 10, 30, 4)], [1, 2, 1, 2, 2, 3, 2, 3]);
});

test("even spans cover all and leave no pixel empty", () => {
  for (const [count, pixels] of [
    [1, 10],
    [3, 10],
    [10, 10],
    [11, 10],
    [400, 37],
  ]) {
    const spans = evenSpans(count, pixels);
    const seen = new Set();
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      assert.ok(spans[2 * pixel + 1] > spans[2 * pixel]);
      for (let at = spans[2 * pixel]; at < spans[2 * pixel + 1]; at += 1) seen.add(at);
    }
    assert.equal(seen.size, count);
  }
});

test("the worst cell of each row, and no cell for a row without data", () => {
  const heat = decodeHeat(
    heatBytes({
      values: [
        [1, 9, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
      codes: [
        [0, 0, 0],
        [0, 2, 2],
        [1, 1, 1],
      ],
    }),
  );
  const worst = worstByRow(heat, HIGH);
  assert.deepEqual(
    worst.map(({ code, cell }) => [code, cell]),
    [
      [0, 1],
      [2, 1],
      [1, -1],
    ],
  );
});
