/** The binary heat map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cellAt, cellEdges, decodeHeat } from "../src/data/decode.js";
import { heatBytes } from "./heat_bytes.mjs";

test("values and codes come back row by row", () => {
  const heat = decodeHeat(
    heatBytes({
      values: [
        [1, 2, 3],
        [4, Number.NaN, 6],
      ],
      codes: [
        [0, 0, 1],
        [3, 2, 0],
      ],
      header: { run: "läuft – 🦜" },
    }),
  );
  assert.deepEqual([heat.rows, heat.cells], [2, 3]);
  assert.deepEqual([...heat.values], [1, 2, 3, 4, Number.NaN, 6]);
  assert.deepEqual([...heat.codes], [0, 0, 1, 3, 2, 0]);
  assert.equal(heat.header.run, "läuft – 🦜");
});

for (let extra = 0; extra < 4; extra += 1) {
  test(`a header of any length is skipped (${extra} more bytes)`, () => {
    const heat = decodeHeat(heatBytes({ values: [[7]], header: { run: "x".repeat(extra) } }));
    assert.equal(heat.values[0], 7);
  });
}

test("an empty map is a map", () => {
  const heat = decodeHeat(heatBytes({ values: [] }));
  assert.deepEqual([heat.rows, heat.cells, heat.values.length, heat.edges.length], [0, 0, 0, 0]);
});

test("bytes of any other form are refused, not guessed at", () => {
  const good = heatBytes({ values: [[1, 2]] });
  const bad = [
    new ArrayBuffer(0),
    new ArrayBuffer(3),
    good.slice(0, 20),
    good.slice(0, good.byteLength - 1),
    heatBytes({ values: [[1, 2]], header: { rows: 2 } }),
    heatBytes({ values: [[1, 2]], header: { cells: -1 } }),
    heatBytes({ values: [[1, 2]], header: { first_steps: [1] } }),
    Uint8Array.of(255, 255, 255, 255, 1).buffer,
    Uint8Array.of(2, 0, 0, 0, 0xff, 0xfe, 0, 0).buffer,
  ];
  for (const bytes of bad) assert.throws(() => decodeHeat(bytes), Error);
});

test("how many times as much as nothing is a value of a difference, and of no other map", () => {
  const values = [[Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 1, 2]];
  const ends = { minimum: 0, maximum: 2 };
  const heat = decodeHeat(heatBytes({ values, header: { ...ends, scale: "log10" } }));
  assert.deepEqual([...heat.values], values[0]);
  for (const header of [ends, { ...ends, scale: "linear" }]) {
    assert.throws(() => decodeHeat(heatBytes({ values, header })), Error);
  }
  const lost = [[1, Number.NaN]];
  assert.throws(() => decodeHeat(heatBytes({ values: lost, header: { scale: "log10" } })), Error);
});

test("a cell reaches to where the next begins, the last by the usual distance", () => {
  assert.deepEqual([...cellEdges([0, 10, 20], [9, 19, 20])], [0, 10, 20, 21]);
  assert.deepEqual([...cellEdges([0, 100, 200], [0, 100, 200])], [0, 100, 200, 300]);
  assert.deepEqual([...cellEdges([5], [5])], [5, 6]);
  assert.deepEqual([...cellEdges([], [])], []);
});

test("steps beyond 2^53 still have an order", () => {
  const edges = cellEdges([0, "9007199254740994"], [0, "9007199254740994"]);
  assert.ok(edges[0] < edges[1] && edges[1] <= edges[2]);
});

test("cellAt finds the cell of a step and holds to the ends", () => {
  const edges = Float64Array.of(0, 1, 10, 40, 50);
  const found = [-5, 0, 0.5, 1, 9.9, 10, 39, 40, 1000].map((step) => cellAt(edges, step));
  assert.deepEqual(found, [0, 0, 0, 1, 1, 2, 2, 3, 3]);
  assert.equal(cellAt(new Float64Array(0), 3), -1);
});
