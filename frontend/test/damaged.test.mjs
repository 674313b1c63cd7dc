/** Heat maps whose bytes were damaged on the way: refused, or whole; never half a map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cellAt, decodeHeat } from "../src/data/decode.js";
import { heatBytes } from "./heat_bytes.mjs";

const ROUNDS = 4000;

/** A generator of numbers in [0, 1) that gives the same ones on every machine. @param {number} seed */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), state | 1) + 0x6d2b79f5) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 7), state | 61) ^ state;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const GOOD = heatBytes({
  values: [
    [1, 2.5, Number.NaN, 4],
    [0, -1, 1e30, 2],
    [3, 3, 3, 3],
  ],
  codes: [
    [0, 0, 1, 0],
    [2, 3, 0, 0],
    [0, 0, 0, 0],
  ],
});

/** @param {ArrayBuffer} buffer Either refused by an `Error`, or everything in it fits together. */
function check(buffer) {
  let heat;
  try {
    heat = decodeHeat(buffer);
  } catch (error) {
    assert.ok(error instanceof Error);
    return false;
  }
  assert.ok(Number.isInteger(heat.rows) && heat.rows >= 0, `rows ${heat.rows}`);
  assert.ok(Number.isInteger(heat.cells) && heat.cells >= 0, `cells ${heat.cells}`);
  assert.equal(heat.values.length, heat.rows * heat.cells);
  assert.equal(heat.codes.length, heat.rows * heat.cells);
  assert.equal(heat.edges.length, heat.cells ? heat.cells + 1 : 0);
  assert.ok(heat.edges.every(Number.isFinite), "edges are numbers");
  for (let index = 1; index < heat.edges.length; index += 1) {
    assert.ok(heat.edges[index - 1] <= heat.edges[index], "edges increase");
  }
  assert.ok(heat.codes.every((code) => code <= 3));
  for (const [index, value] of heat.values.entries()) {
    if (heat.codes[index] === 0) assert.ok(Number.isFinite(value), "a value is a number");
  }
  for (const end of [heat.header.minimum, heat.header.maximum]) {
    assert.ok(end === null || Number.isFinite(end));
  }
  const cell = cellAt(heat.edges, 7);
  assert.ok(cell >= -1 && cell < Math.max(1, heat.cells));
  return true;
}

test("the sound one is sound", () => assert.ok(check(GOOD)));

test("cut anywhere, it is refused", () => {
  for (let length = 0; length < GOOD.byteLength; length += 1) {
    assert.equal(check(GOOD.slice(0, length)), false, `${length} bytes`);
  }
});

test("garbled bytes are refused or fit together", () => {
  const next = dice(20);
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = [...new Uint8Array(GOOD)];
    for (let change = 0; change <= next() * 6; change += 1) {
      const at = Math.floor(next() * (bytes.length + 1));
      const kind = next();
      if (kind < 0.6 && at < bytes.length) bytes[at] = Math.floor(next() * 256);
      else if (kind < 0.8) bytes.splice(at, Math.floor(next() * 9));
      else bytes.splice(at, 0, ...Array.from({ length: 4 }, () => Math.floor(next() * 256)));
    }
    check(Uint8Array.from(bytes).buffer);
  }
});

test("a header that says anything is refused or fits together", () => {
  const anything = [
    null,
    undefined,
    true,
    -1,
    0,
    1,
    1.5,
    3,
    4,
    12,
    1e308,
    "3",
    "4",
    "x",
    "",
    "9223372036854775807",
    [],
    [1],
    ["x"],
    [null],
    [0, 10, 20, 30],
    [30, 20, 10, 0],
    ["0", "1", "2", "3"],
    {},
    [[]],
    [0, "NaN", 1, 2],
    [0, Number.POSITIVE_INFINITY, 2, 3],
    { length: 4 },
    "0123",
  ];
  const next = dice(21);
  const keys = [
    "rows",
    "cells",
    "first_steps",
    "last_steps",
    "minimum",
    "maximum",
    "run",
    "schema",
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    /** @type {Record<string, unknown>} */
    const header = {};
    for (let change = 0; change <= next() * 3; change += 1) {
      const key = keys[Math.floor(next() * keys.length)];
      header[key] = anything[Math.floor(next() * anything.length)];
    }
    check(
      heatBytes({
        values: [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
          [9, 10, 11, 12],
        ],
        header,
      }),
    );
  }
});

test("a header that is no object is refused", () => {
  for (const text of ["null", "1", "[]", '"x"', "{}", "{", ""]) {
    const bytes = Buffer.alloc(4 + Math.ceil(text.length / 4) * 4);
    bytes.writeUInt32LE(text.length, 0);
    bytes.write(text, 4);
    assert.equal(check(Uint8Array.from(bytes).buffer), false, text);
  }
});
