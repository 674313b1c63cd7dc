/** The page writes numbers and words as the Python package does: both read the same vectors. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  counted,
  formatConfidence,
  formatNumber,
  formatPercent,
  looseNumber,
} from "../src/format/numbers.js";
import { STATE_WORD, VERDICT_WORD } from "../src/format/severity.js";
import { formatStepRange } from "../src/format/steps.js";

const VECTORS = JSON.parse(
  readFileSync(new URL("../../tests/text_vectors.json", import.meta.url), "utf8"),
);

/** @type {Record<string, (...given: any[]) => string>} */
const WRITERS = {
  number: (value, digits) => formatNumber(looseNumber(value), digits),
  percent: (value) => formatPercent(looseNumber(value)),
  confidence: formatConfidence,
  counted,
  step_range: formatStepRange,
  verdict: (state) => STATE_WORD[/** @type {"sick"} */ (state)].toLowerCase(),
  severity: (severity) => VERDICT_WORD[/** @type {"info"} */ (severity)],
};

test("every kind of vector has a writer here", () => {
  assert.deepEqual(Object.keys(VECTORS).sort(), ["about", ...Object.keys(WRITERS)].sort());
});

for (const [kind, write] of Object.entries(WRITERS)) {
  test(`${kind} reads as in Python`, () => {
    assert.ok(VECTORS[kind].length > 0);
    for (const vector of VECTORS[kind]) {
      assert.equal(write(...vector.slice(0, -1)), vector.at(-1), JSON.stringify(vector));
    }
  });
}
