/** The limit of a piece of evidence says on which side of it the fault lies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatConfidence } from "../src/format/numbers.js";
import { limitText } from "../src/views/finding_card.js";
import { healthyRange } from "../src/views/healthy.js";

test("a limit is said with its side", () => {
  assert.equal(limitText({ threshold: 0.1, suspect: "more than" }), "more than 0.1");
  assert.equal(limitText({ threshold: 1e-4, suspect: "less than" }), "less than 1e-4");
  assert.equal(limitText({ threshold: 0, suspect: "exactly" }), "exactly 0");
  assert.equal(limitText({ threshold: "Infinity", suspect: "at least" }), "at least ∞");
  assert.equal(limitText({ threshold: null, suspect: null }), "");
  assert.equal(limitText({ threshold: 2 }), "2", "from a server that does not say");
});

test("a healthy range says on which side it is open", () => {
  const norm = { name: "gradient_norm", unit: "u", scale: "log10" };
  assert.equal(healthyRange({ low: null, high: 40 }, norm), "healthy up to 40");
  assert.equal(healthyRange({ low: 1e-4, high: null }, norm), "healthy from 1e-4 on");
  assert.equal(healthyRange({ low: 1e-4, high: 0.1 }, norm), "healthy 1e-4 – 0.1");
});

test("confidence is said in whole per cent, as all shares are", () => {
  assert.equal(formatConfidence(0.577), "58%");
  assert.equal(formatConfidence(0.95), "95%");
  assert.equal(formatConfidence(1), "100%");
});
