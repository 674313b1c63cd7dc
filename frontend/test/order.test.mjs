/** Which rows are shown, in which order; which of them are labeled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../src/charts/heat.js";
import { heatLayout, labeled, rowAt, wantedHeight } from "../src/charts/heat_layout.js";
import { matcher, shownRows } from "../src/charts/order.js";

const rows = ["block_2/mlp", "block_10/attn", "head", "block_2/attn"].map(
  (name) => /** @type {any} */ ({ name }),
);
const worst = [
  { rank: 2, badness: 5, cell: 0 },
  { rank: 4, badness: 0, cell: 40 },
  { rank: 2, badness: 9, cell: 0 },
  { rank: 4, badness: 0, cell: 12 },
];

test("depth keeps the order, names sort as people count", () => {
  assert.deepEqual(shownRows(rows, "depth", "", worst), [0, 1, 2, 3]);
  assert.deepEqual(shownRows(rows, "name", "", worst), [3, 0, 1, 2]);
});

test("worst first: the earliest NaN, then by value; depth until the map is there", () => {
  assert.deepEqual(shownRows(rows, "worst", "", worst), [3, 1, 2, 0]);
  assert.deepEqual(shownRows(rows, "worst", "", null), [0, 1, 2, 3]);
});

test("first crossing: the earliest first, rows that never cross last, in order of depth", () => {
  assert.deepEqual(
    shownRows(rows, "crossing", "", worst, Int32Array.of(-1, 7, 3, -1)),
    [2, 1, 0, 3],
  );
  assert.deepEqual(shownRows(rows, "crossing", "", worst, null), [0, 1, 2, 3]);
});

for (const [filter, expected] of [
  ["", [0, 1, 2, 3]],
  ["ATTN", [1, 3]],
  ["block_2 attn", [3]],
  ["mlp|head", [0, 2]],
  ["b*2*n", [3]],
  ["n*b", []],
  [" | ", [0, 1, 2, 3]],
  ["*", [0, 1, 2, 3]],
  ["(", []],
]) {
  test(`filter ${JSON.stringify(filter)}`, () => {
    assert.deepEqual(shownRows(rows, "depth", filter, null), expected);
  });
}

test("a hostile filter takes no time", () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `${"a".repeat(60)}${index}`);
  const begin = performance.now();
  const matches = matcher(`${"a*".repeat(500)}b`);
  assert.equal(names.filter(matches).length, 0);
  assert.ok(performance.now() - begin < 500);
});

test("the row under the pointer", () => {
  assert.equal(rowAt(0, 10, 100), 0);
  assert.equal(rowAt(99.9, 10, 100), 9);
  assert.equal(rowAt(100, 10, 100), -1);
  assert.equal(rowAt(-1, 10, 100), -1);
  assert.equal(rowAt(5, 0, 100), -1);
  assert.equal(rowAt(50, 2000, 100), 1000);
});

test("labels never touch, and what matters has one", () => {
  const important = new Map([
    [7, 1],
    [8, 2],
    [300, 1],
  ]);
  const chosen = labeled(400, 360, 14, (position) => important.get(position) ?? 0);
  for (let index = 1; index < chosen.length; index += 1) {
    assert.ok((chosen[index] - chosen[index - 1]) * (360 / 400) >= 14);
  }
  assert.ok(chosen.includes(8) && chosen.includes(300));
  assert.ok(!chosen.includes(7), "its neighbor matters more");
  assert.ok(chosen.length > 15);
  assert.equal(labeled(12, 360, 14, () => 0).length, 12);
});

test("a map is as tall as its rows need, within its room", () => {
  assert.ok(wantedHeight(10, 20, 400) < wantedHeight(15, 20, 400));
  assert.equal(wantedHeight(1000, 20, 400), wantedHeight(100_000, 20, 400));
  assert.ok(wantedHeight(1, 20, 400) > 60);
  const { left, width } = heatLayout(50, 200, { left: 100, right: 60 });
  assert.deepEqual([left, width], [100, 1], "a plot is never narrower than a pixel");
});

test("keys move within the map and stop at its edges", () => {
  const props = /** @type {any} */ ({ order: [4, 2, 9], heat: { cells: 5 } });
  const at = { row: 2, cell: 2 };
  assert.deepEqual(moved("ArrowUp", at, props), { row: 4, cell: 2 });
  assert.deepEqual(moved("ArrowDown", at, props), { row: 9, cell: 2 });
  assert.deepEqual(moved("PageDown", at, props), { row: 9, cell: 2 });
  assert.deepEqual(moved("ArrowUp", { row: 4, cell: 0 }, props), { row: 4, cell: 0 });
  assert.deepEqual(moved("ArrowLeft", { row: 4, cell: 0 }, props), { row: 4, cell: 0 });
  assert.deepEqual(moved("End", at, props), { row: 2, cell: 4 });
  assert.deepEqual(moved("Home", at, props), { row: 2, cell: 0 });
  assert.equal(moved("x", at, props), null);
});
