import assert from "node:assert/strict";
import { test } from "node:test";
import { runFilter } from "../src/model/run_filter.js";

const RUNS = ["digits/sgd-0.3", "digits/adam-0.001", "text/ADAM-0.1", "a+b"];

/** @param {string} pattern */
const found = (pattern) => RUNS.filter(runFilter(pattern).matches);

test("a filter is a regular expression without regard to case", () => {
  assert.deepEqual(found(""), RUNS);
  assert.deepEqual(found("^digits/"), RUNS.slice(0, 2));
  assert.deepEqual(found("adam"), RUNS.slice(1, 3));
  assert.deepEqual(found("sgd|text"), [RUNS[0], RUNS[2]]);
  assert.deepEqual(found("a\\+b"), ["a+b"]);
  assert.deepEqual(found("(sgd|adam)-0\\.\\d+$"), RUNS.slice(0, 3));
});

test("a pattern that cannot be used hides nothing and says why", () => {
  for (const [pattern, why] of [
    ["(", /valid/],
    ["[a", /valid/],
    ["(a+)+$", /inside/],
    ["(a|aa)*$", /inside/],
    ["((a*)b?)*", /inside/],
    ["(\\w+\\s?)*$", /inside/],
    ["(x+x+)+y", /inside/],
    ["(?:a{2,}){2,}", /inside/],
    ["a*b*c*d*e*f*", /repetitions/],
    ["(a?a?)+b", /inside/],
    ["(a?){9}b", /inside/],
    ["((a|aa){9}){9}b", /inside/],
    [`${".?".repeat(13)}b`, /optional/],
    [`${"(.|..)".repeat(13)}b`, /optional/],
    ["(a)\\1", /References/],
    ["x".repeat(201), /characters/],
  ]) {
    const filter = runFilter(String(pattern));
    assert.match(filter.error, /** @type {RegExp} */ (why), String(pattern));
    assert.ok(filter.matches("anything"));
  }
});

test("what is repeated once, escaped, or inside a class is no nested repetition", () => {
  for (const pattern of [
    "(a+)b",
    "[+*]+",
    "(ab)+",
    "\\(a+\\)+",
    "(a+)(b)",
    "(?=a+)b",
    "(a|b)c+",
    "(ab){3}",
    "a+?b*?c??",
    "(?:lr)?=?0\\.\\d{2}",
    "seed=(1|2|3|5|7|11|13|17|19|23)_(sgd|adam|rmsprop)-?(a|b)?$",
    Array.from({ length: 60 }, (_, seed) => seed).join("|"),
  ]) {
    assert.equal(runFilter(pattern).error, "", pattern);
  }
});

test("matching stops when its time is used up", () => {
  let now = 0;
  const filter = runFilter("x", () => {
    now += 200;
    return now;
  });
  assert.equal(filter.matches("a"), false);
  filter.matches("a");
  assert.match(filter.error, /too long/);
  assert.ok(filter.matches("a"));
});
