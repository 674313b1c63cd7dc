/** Colors: the scale, its range, and single pixels of a painted map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CIVIDIS } from "../src/charts/cividis.js";
import { between } from "../src/charts/color_scale.js";
import { scaleLabels } from "../src/charts/heat_draw.js";
import { isMark, paint } from "../src/charts/paint.js";
import { runColor, runMark } from "../src/charts/palette.js";
import {
  colorRange,
  linearTicks,
  logTicks,
  positionIn,
  sharedRange,
  timeTicks,
} from "../src/charts/ranges.js";
import { decodeHeat } from "../src/data/decode.js";
import { heatBytes } from "./heat_bytes.mjs";

const cividis = (/** @type {number} */ position) => between(CIVIDIS, position);

const UNIT = {
  low: 0,
  high: 1,
  log: false,
  clippedLow: false,
  clippedHigh: false,
  zeros: false,
};
const NORM = /** @type {any} */ ({
  name: "gradient_norm",
  unit: "u",
  scale: "log10",
  worst: "both",
});
const MEAN = /** @type {any} */ ({
  name: "variable_mean",
  unit: "u",
  scale: "linear",
  worst: "high",
});
const FRACTION = /** @type {any} */ ({
  name: "gradient_zero_fraction",
  unit: "1",
  scale: "linear",
  worst: "high",
});
const COLORS = {
  nan: /** @type {[number, number, number]} */ ([216, 27, 96]),
  nanMark: /** @type {[number, number, number]} */ ([61, 0, 25]),
  infinite: /** @type {[number, number, number]} */ ([255, 112, 67]),
  infiniteMark: /** @type {[number, number, number]} */ ([90, 19, 0]),
  noData: /** @type {[number, number, number]} */ ([236, 238, 241]),
  noDataMark: /** @type {[number, number, number]} */ ([185, 192, 200]),
  free: /** @type {[number, number, number]} */ ([255, 255, 255]),
  freeMark: /** @type {[number, number, number]} */ ([174, 182, 191]),
  levels: Array.from(
    { length: 9 },
    (_, level) => /** @type {[number, number, number]} */ ([level, 10, 20]),
  ),
};

test("cividis begins dark blue, ends yellow, and only gets lighter", () => {
  assert.deepEqual(cividis(0), [0, 34, 78]);
  assert.deepEqual(cividis(1), [254, 232, 56]);
  assert.deepEqual(cividis(-3), cividis(0));
  assert.deepEqual(cividis(7), cividis(1));
  let before = -1;
  for (let step = 0; step <= 100; step += 1) {
    const [red, green, blue] = cividis(step / 100).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    assert.ok(luminance > before, `at ${step} %`);
    before = luminance;
  }
});

/** @param {number[]} values */
const rangeOf = (values, metric = NORM) =>
  colorRange(decodeHeat(heatBytes({ values: [values] })), metric);

test("fractions are always drawn from 0 to 1", () => {
  assert.deepEqual([rangeOf([0, 0], FRACTION).low, rangeOf([0, 0], FRACTION).high], [0, 1]);
});

test("one outlier does not flatten the others", () => {
  const range = rangeOf([...Array.from({ length: 500 }, (_, i) => 1 + i / 100), 1e20]);
  assert.ok(range.high < 100);
  assert.ok(range.clippedHigh);
});

test("a logarithmic scale spans a decade at least, and keeps zeros apart", () => {
  const range = rangeOf([2, 2, 2, 0]);
  assert.ok(Math.abs(Math.log10(range.high / range.low) - 1) < 1e-9);
  assert.ok(range.zeros);
  assert.equal(positionIn(range)(0), 0);
  assert.ok(positionIn(range)(range.low) > 0.1);
  assert.equal(positionIn(range)(range.high * 10), 1);
});

test("sizes over orders of magnitude stand on a logarithmic scale, shares and signed ones do not", () => {
  const wide = [0.2, 1, 7, 40, 140, 0];
  const range = rangeOf(wide, MEAN);
  assert.deepEqual([range.log, range.zeros], [true, true]);
  assert.ok(positionIn(range)(1) > 0.2, "a small value is told from none");
  assert.equal(rangeOf([40, 90, 140], MEAN).log, false, "within two decades");
  assert.equal(rangeOf([...wide, -1], MEAN).log, false, "signed");
  assert.equal(rangeOf([0.001, 0.5, 1], MEAN).log, false, "parts of 1");
  const centered = { ...MEAN, center: 0 };
  assert.equal(rangeOf(wide, centered).log, false);
  const heat = decodeHeat(heatBytes({ values: [wide] }));
  const signed = rangeOf([-1, 140], MEAN);
  const both = sharedRange(heat, range, signed);
  assert.deepEqual([both.log, both.zeros, both.low], [false, false, -1], "one scale for two runs");
});

test("a constant, an empty and an all-NaN map have a range", () => {
  const none = decodeHeat(heatBytes({ values: [[1, 2]], codes: [[2, 1]] }));
  for (const range of [rangeOf([3, 3], MEAN), colorRange(none, NORM), colorRange(none, MEAN)]) {
    assert.ok(range.high > range.low && Number.isFinite(range.high - range.low));
  }
});

test("single pixels: values on the scale, the rest as patterns outside it", () => {
  const grid = {
    width: 4,
    height: 1,
    values: Float32Array.of(0, 1, Number.NaN, Number.NaN),
    codes: Uint8Array.of(0, 0, 2, 2),
  };
  const pixels = new Uint8Array(
    paint(grid, Int32Array.of(0), Int32Array.of(0, 1, 2, 3), UNIT, COLORS, 1).buffer,
  );
  const at = (/** @type {number} */ index) => [...pixels.slice(4 * index, 4 * index + 4)];
  assert.deepEqual(at(0), [...cividis(0), 255]);
  assert.deepEqual(at(1), [...cividis(1), 255]);
  assert.deepEqual(at(2), [...COLORS.nanMark, 255]);
  assert.deepEqual(at(3), [...COLORS.nan, 255]);
});

test("a cell of many pixels has one color if it holds a value, and its whole pattern if not", () => {
  const grid = {
    width: 2,
    height: 2,
    values: Float32Array.of(0, 1, Number.NaN, 0.5),
    codes: Uint8Array.of(0, 0, 2, 0),
  };
  const [down, across] = [Int32Array.of(0, 0, 1, 1, 1), Int32Array.of(0, 0, 0, 1)];
  const pixels = new Uint8Array(paint(grid, down, across, UNIT, COLORS, 1).buffer);
  for (let y = 0; y < 5; y += 1) {
    for (let x = 0; x < 4; x += 1) {
      const at = 4 * (4 * y + x);
      const nan = isMark(2, x, y, 1) ? COLORS.nanMark : COLORS.nan;
      const [left, right] = y < 2 ? [cividis(0), cividis(1)] : [nan, cividis(128 / 255)];
      assert.deepEqual([...pixels.slice(at, at + 3)], x < 3 ? left : right, `${x}, ${y}`);
    }
  }
});

test("the patterns differ in shape, not only in color", () => {
  for (const unit of [1, 2, 3, 6]) {
    const shape = (/** @type {number} */ code) =>
      Array.from({ length: 4096 }, (_, at) => isMark(code, at % 64, at >> 6, unit)).join();
    const all = [1, 2, 3, 4].map(shape);
    assert.equal(new Set(all).size, unit === 1 ? new Set(all).size : 4, `at ${unit}`);
    for (const one of all) assert.match(one, /true/);
    for (const one of all) assert.match(one, /false/);
  }
});

test("distances from limits are painted in nine colors, rows without limit in dots", () => {
  const grid = {
    width: 5,
    height: 1,
    values: Float32Array.of(0, 0.1, -0.9, 3, 7),
    codes: Uint8Array.of(0, 0, 0, 0, 4),
  };
  const across = Int32Array.of(0, 1, 2, 3, 4);
  const pixels = new Uint8Array(paint(grid, Int32Array.of(0), across, null, COLORS, 1).buffer);
  const at = (/** @type {number} */ index) => [...pixels.slice(4 * index, 4 * index + 3)];
  assert.deepEqual(
    [at(0), at(1), at(2), at(3)],
    [4, 5, 2, 8].map((level) => COLORS.levels[level]),
  );
  assert.ok([COLORS.free, COLORS.freeMark].some((color) => String(color) === String(at(4))));
});

test("no value is painted in a color of the marks", () => {
  const marks = new Set(Object.values(COLORS).map(String));
  for (let step = 0; step <= 255; step += 1) assert.ok(!marks.has(String(cividis(step / 255))));
});

test("ticks are round, inside, and few", () => {
  assert.deepEqual(linearTicks(0, 100, 5), [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(linearTicks(0, 0.3, 3), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(linearTicks(0, 3, 10, true), [0, 1, 2, 3]);
  assert.deepEqual(linearTicks(5, 5, 3), [5]);
  assert.deepEqual(linearTicks(Number.NaN, 1, 3), []);
  assert.deepEqual(logTicks(1e-3, 1, 9), [1e-3, 1e-2, 0.1, 1]);
  assert.deepEqual(logTicks(0.08, 0.6, 4), [0.1, 0.2, 0.5]);
  assert.deepEqual(logTicks(0.26, 1.035, 4), [0.3, 0.5, 1], "a loss from 0.3 to 0.9");
  assert.deepEqual(logTicks(0.3, 9, 3), [0.3, 1, 3]);
  assert.deepEqual(logTicks(0.05, 12, 8), [0.1, 1, 10]);
  assert.deepEqual(logTicks(0.2, 6, 8), [0.2, 0.5, 1, 2, 5]);
  assert.ok(logTicks(1e-30, 1e30, 5).length <= 6);
  assert.ok(logTicks(3.5, 4.5, 4).length >= 2, "a narrow range has ticks too");
  assert.deepEqual(timeTicks(0, 3600, 4), [0, 900, 1800, 2700, 3600]);
});

test("a logarithmic axis has labels enough, and none too many, however narrow it is", () => {
  const lows = Array.from({ length: 130 }, (_, index) => 1e-9 * 1.37 ** index);
  for (const ratio of [2.25, 3, 7, 20, 90, 400, 1e5, 1e12]) {
    for (const [low, count] of lows.flatMap((one) => [2, 3, 4, 6, 12].map((most) => [one, most]))) {
      const ticks = logTicks(low, low * ratio, count);
      const said = `${low} ${ratio} ${count}: ${ticks}`;
      assert.ok(ticks.length >= 2 && ticks.length <= Math.max(3, count), said);
      assert.ok(ticks[0] >= low * 0.998 && ticks[ticks.length - 1] <= low * ratio * 1.002, said);
      // Rising, and no stretch without a label is longer than two thirds of the axis.
      const places = [low, ...ticks, low * ratio].map(Math.log);
      const gaps = places.slice(1).map((place, at) => place - places[at]);
      assert.ok(Math.min(...gaps.slice(1, -1)) > 0, said);
      assert.ok(Math.max(...gaps) <= Math.log(ratio) * 0.67, said);
    }
  }
});

test("ticks stay inside whatever the range", () => {
  for (let power = -12; power < 12; power += 1) {
    for (const [low, width] of [
      [0, 1],
      [3, 0.7],
      [-5, 11],
    ]) {
      const [from, to] = [low * 10 ** power, (low + width) * 10 ** power];
      const ticks = linearTicks(from, to, 5);
      assert.ok(ticks.length >= 2 && ticks.length <= 8, `${ticks}`);
      const slack = (to - from) * 1e-6;
      assert.ok(ticks.every((tick) => tick >= from - slack && tick <= to + slack));
    }
  }
});

test("ticks end where a step is less than the last bit of a number, and at infinity", () => {
  for (const [low, high] of [
    [1.7e18, 1.7e18 + 512],
    [2 ** 60, 2 ** 60 + 2 ** 10],
    [1 - 1.2e-16, 1 + 3e-16],
    [-1 - 3e-16, -1],
  ]) {
    for (const count of [2, 5, 8, 14]) {
      assert.ok(linearTicks(low, high, count).length <= count + 2, `${low} ${high} ${count}`);
      assert.ok(linearTicks(low, high, count, true).length <= count + 2, `${low} ${count}`);
      assert.ok(timeTicks(low, high, count, 7200).length <= count + 2, `${low} ${count}`);
    }
  }
  assert.deepEqual(logTicks(1, Infinity, 5), [1]);
});

test("the end of the scale says that there is more beyond it", () => {
  const place = (/** @type {number} */ value) => 100 - value / 2;
  const labels = (/** @type {boolean} */ clippedLow, /** @type {boolean} */ clippedHigh) =>
    scaleLabels([0, 100, 170], { low: -8, high: 183, clippedLow, clippedHigh }, String, place).map(
      ({ text }) => text,
    );
  assert.deepEqual(labels(false, false), ["0", "100", "170"]);
  assert.deepEqual(labels(false, true), ["0", "100", "≥ 180"], "a tick too near gives way");
  assert.deepEqual(labels(true, true), ["≤ -8", "100", "≥ 180"]);
});

test("labels of the color scale never touch: exactly 0 and the ends come first", () => {
  // As in a map of three rows: a bar of 60 pixels, six decades.
  const place = (/** @type {number} */ value) => Math.min(61, 40 - 10 * Math.log10(value));
  const range = { low: 0.01, high: 96, clippedLow: false, clippedHigh: true };
  const found = scaleLabels([0.01, 1], range, String, place, 61);
  assert.deepEqual(
    found.map(({ text }) => text),
    ["0", "1", "≥ 96"],
  );
  const close = scaleLabels([1, 2, 3, 4], { ...range, clippedHigh: false }, String, place);
  for (const [index, { at }] of close.entries()) {
    if (index) assert.ok(close[index - 1].at - at >= 12, "a line apart");
  }
  assert.equal(close[0].text, "1");
});

test("color and shape of a run's dot repeat only after twenty-eight runs", () => {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    const dots = Array.from({ length: 29 }, (_, at) => `${runColor(at, theme)} ${runMark(at)}`);
    assert.equal(new Set(dots.slice(0, 28)).size, 28);
    assert.equal(dots[28], dots[0]);
  }
  assert.equal(runMark(-1), runMark(0), "no run");
});
