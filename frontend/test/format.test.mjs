/** Numbers, steps and names as a person reads them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  commonPath,
  fitName,
  formatShape,
  fullName,
  middleEllipsis,
  spelledOut,
  visible,
  words,
} from "../src/format/names.js";
import {
  counted,
  formatNumber,
  formatPercent,
  formatTick,
  formatValue,
  looseNumber,
} from "../src/format/numbers.js";
import {
  badness,
  VERDICT_PATH,
  VERDICT_WORD,
  VERDICTS,
  verdictOf,
} from "../src/format/severity.js";
import {
  formatClock,
  formatDuration,
  formatStep,
  formatStepRange,
  formatStepShort,
  stepNumber,
} from "../src/format/steps.js";

/**
 * @param {string} name
 * @param {(value: any) => string} format
 * @param {[any, string][]} rows
 */
function table(name, format, rows) {
  for (const [value, expected] of rows) {
    test(`${name}(${String(value)}) is ${expected}`, () => assert.equal(format(value), expected));
  }
}

// Numbers and per cent as such: test/text.test.mjs.
table("formatNumber of nothing", formatNumber, [
  [null, "–"],
  [undefined, "–"],
]);

table("formatPercent of nothing", formatPercent, [[null, "–"]]);

table("formatTick", formatTick, [
  [0, "0"],
  [10_000, "10,000"],
  [0.05, "0.05"],
  [1e6, "1e6"],
  [140_000, "140,000"],
  [2.5e-4, "2.5e-4"],
  [-0.5, "-0.5"],
]);

table("formatStep", formatStep, [
  [0, "0"],
  [6112, "6,112"],
  ["9223372036854775807", "9,223,372,036,854,775,807"],
  ["not a step", "not a step"],
]);

table("formatStepShort", formatStepShort, [
  [0, "0"],
  [99_999, "99,999"],
  [120_000, "120k"],
  [1_500_000, "1.5M"],
  [2e9, "2G"],
]);

table("formatDuration", formatDuration, [
  [0, "0s"],
  [0.5, "0.5s"],
  [45, "45s"],
  [59.7, "60s"],
  [60, "1m"],
  [150, "2m 30s"],
  [3900, "1h 05m"],
  [7200, "2h"],
  [273_600, "3d 4h"],
  [-90, "-1m 30s"],
  [Number.NaN, ""],
]);

test("a step beyond 2^53 keeps its digits and still has a place", () => {
  assert.equal(
    formatStepRange("9007199254740993", "9007199254740993"),
    "step 9,007,199,254,740,993",
  );
  assert.equal(stepNumber("9007199254740993"), 2 ** 53);
  assert.equal(formatStepRange(10, 19), "steps 10 to 19");
});

test("a clock shows the date only where days differ, seconds only where minutes do not", () => {
  const noon = new Date(2026, 10, 21, 12, 5, 7).getTime() / 1000;
  assert.equal(formatClock(noon, 3600), "12:05");
  assert.equal(formatClock(noon, 60), "12:05:07");
  assert.equal(formatClock(noon, 200_000), "11-21 12:05");
  assert.equal(formatClock(Number.NaN, 60), "");
});

test("strict numbers come back as numbers", () => {
  assert.ok(Number.isNaN(looseNumber("NaN")));
  assert.equal(looseNumber("-Infinity"), -Infinity);
  assert.equal(looseNumber(0.5), 0.5);
  assert.equal(looseNumber(null), null);
});

test("only fractions are per cent", () => {
  const fraction = { name: "gradient_zero_fraction", unit: "1", scale: "linear" };
  assert.equal(formatValue(0.62, fraction), "62%");
  assert.equal(formatValue(0.62, { name: "update_ratio", unit: "1", scale: "log10" }), "0.62");
});

test("counts agree with their noun", () => {
  assert.equal(counted(1, "run"), "1 run");
  assert.equal(counted(1200, "run"), "1,200 runs");
});

table("visible", visible, [
  ["plain/kernel:0", "plain/kernel:0"],
  ["\u202egnp.exe", "\\u202egnp.exe"],
  ["line\nbreak\u0000", "line\\u000abreak\\u0000"],
  ["\ud800 alone", "\\ud800 alone"],
  ["\udc00", "\\udc00"],
  ["🦜", "🦜"],
  ["zero\u200bwidth\u2028", "zero\\u200bwidth\\u2028"],
  ["a\u0300\u0300\u0300\u0300\u0300\u0300b", "a\u0300\u0300\u0300\u0300…b"],
]);

test("a long name keeps both ends and whole characters", () => {
  assert.equal(middleEllipsis("abcdefghij", 5), "ab…ij");
  assert.equal(middleEllipsis("abc", 3), "abc");
  assert.equal([...middleEllipsis("🦜".repeat(50), 7)].length, 7);
  assert.doesNotMatch(middleEllipsis("🦜".repeat(50), 7), /[\ud800-\udbff](?![\udc00-\udfff])/);
  assert.equal([...fullName("x".repeat(100_000))].length, 1000);
});

test("fitName is the longest form that fits", () => {
  const measure = (/** @type {string} */ text) => [...text].length * 6;
  const name = "encoder/block_07/attention/query/kernel";
  for (const width of [6, 30, 61, 120, 1000]) {
    const fitted = fitName(name, width, measure);
    assert.ok(measure(fitted) <= Math.max(width, 6));
    if (fitted !== name) assert.ok(measure(middleEllipsis(name, [...fitted].length + 1)) > width);
  }
});

test("the path that all names share", () => {
  assert.equal(commonPath(["mlp/dense_1/kernel", "mlp/dense_10/bias"]), "mlp/");
  assert.equal(commonPath(["a/b", "a/b"]), "a/");
  assert.equal(commonPath(["dense_1", "dense_2"]), "");
  assert.equal(commonPath(["a/b", ""]), "");
  assert.equal(commonPath(["a/b"]), "");
});

test("shapes and ids read as words", () => {
  assert.equal(formatShape([784, 128]), "784 × 128");
  assert.equal(formatShape([]), "scalar");
  assert.equal(formatShape([-1, 3]), "? × 3");
  assert.equal(words("learning-rate-too_high"), "learning rate too high");
});

test("every verdict has a word and a shape of its own", () => {
  for (const verdict of VERDICTS) assert.ok(VERDICT_WORD[verdict] && VERDICT_PATH[verdict]);
  // One more is that of a cause that an experiment ruled out.
  assert.equal(new Set(Object.values(VERDICT_PATH)).size, VERDICTS.length + 1);
  assert.equal(new Set(Object.values(VERDICT_WORD)).size, VERDICTS.length);
});

test("an unreadable run is no healthy run", () => {
  const run = /** @type {any} */ ({ severity: "healthy", error: "damaged" });
  assert.equal(verdictOf(run), "error");
  assert.ok(badness("error") < badness("warning"));
  assert.ok(badness("critical") < badness("healthy"));
});

for (const [name, said] of [
  ["input[82:91]", "features 82 to 90 of input"],
  ["a[0:2][3:4]", "feature 3 of a[0:2]"],
  ["input[2]", "input[2]"],
  ["kernel[9:3]", "kernel[9:3]"],
  ["[1:2]", "[1:2]"],
]) {
  test(`a slice in a name is spelled out: ${name}`, () => assert.equal(spelledOut(name), said));
}

test("a single index is spelled out only where it is known to be a feature's", () => {
  assert.equal(spelledOut("input[2]", true), "feature 2 of input");
  assert.equal(spelledOut("input", true), "input");
});
