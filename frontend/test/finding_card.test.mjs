/** What a card says in a word: limits with their side, what it explains, what else was found. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatConfidence } from "../src/format/numbers.js";
import { limitText, namesOf, spanOf } from "../src/views/finding_card.js";
import { overview, tree } from "../src/views/findings.js";
import { barsOf } from "../src/views/findings_over_time.js";
import { healthyRange } from "../src/views/healthy.js";

test("a limit is said with its side", () => {
  assert.equal(limitText({ limit: 0.1, side: "more than" }), "more than 0.1");
  assert.equal(limitText({ limit: 1e-4, side: "less than" }), "less than 1e-4");
  assert.equal(limitText({ limit: 0, side: "exactly" }), "exactly 0");
  assert.equal(limitText({ limit: "Infinity", side: "at least" }), "at least Inf");
  assert.equal(limitText({ limit: null, side: null }), "");
  assert.equal(limitText({ limit: 2 }), "2", "from a server that does not say");
  assert.equal(limitText({ limit: 0.875, side: "at least", unit: "fraction" }), "at least 87.5%");
});

test("a healthy range says on which side it is open", () => {
  const norm = { name: "gradient_norm", unit: "u", scale: "log10" };
  assert.equal(healthyRange({ low: null, high: 40 }, norm), "healthy up to 40");
  assert.equal(healthyRange({ low: 1e-4, high: null }, norm), "healthy from 1e-4 on");
  assert.equal(healthyRange({ low: 1e-4, high: 0.1 }, norm), "healthy 1e-4 – 0.1");
});

test("what is told of one step alone is not told from it on", () => {
  const [first_step, last_step] = [55, 879];
  assert.equal(spanOf({ first_step, last_step }, "step"), "from step 55");
  assert.equal(spanOf({ first_step, last_step: 55 }, "epoch"), "at epoch 55");
  assert.equal(
    spanOf({ first_step, last_step, recovered_step: 1200 }, "step"),
    "steps 55 to 1,200",
  );
});

test("confidence is said in whole per cent, as all shares are", () => {
  assert.equal(formatConfidence(0.577), "58%");
  assert.equal(formatConfidence(0.95), "95%");
  assert.equal(formatConfidence(1), "100%");
});

test("what a finding explains is named before it is counted", () => {
  const titled = (/** @type {string[]} */ ...titles) => titles.map((title) => ({ title }));
  assert.equal(namesOf(titled("The model underfits")), "The model underfits");
  const two = titled("ReLU units are dead", "The model underfits");
  assert.equal(namesOf(two), "ReLU units are dead and the model underfits");
  const many = [...two.toReversed(), ...titled("a", "b", "c")];
  assert.equal(namesOf(many), "The model underfits, ReLU units are dead and 3 more");
});

/** @param {string} id @param {string} kind @param {string | null} by @returns {any} */
const finding = (id, kind, by = null) => ({ id, kind, title: id.toUpperCase(), explained_by: by });

/** @param {any[]} all @param {string | null} selected */
function said(all, selected) {
  const { heads, explained } = tree(all);
  return overview(heads, explained, selected).map(
    ({ text, first, more }) => `${text}${first ? ` ${first.title}` : ""}${more ? ` +${more}` : ""}`,
  );
}

test("a second cause is said beside the one that is looked at, and so is what no cause explains", () => {
  const two = [finding("a", "cause"), finding("b", "cause"), finding("s", "symptom", "b")];
  assert.deepEqual(said(two, "a"), ["1 of 2 causes · also: B"]);
  assert.deepEqual(said(two, "b"), ["2 of 2 causes · also: A"]);
  assert.deepEqual(said(two, "s"), ["2 of 2 causes · also: A"], "inside the second");
  const alone = [...two, finding("c", "cause"), finding("x", "symptom"), finding("y", "symptom")];
  const unexplained = "2 symptoms that no cause explains:";
  assert.deepEqual(said(alone, null), ["1 of 3 causes · also: B +1", `${unexplained} X +1`]);
  assert.deepEqual(said(alone, "y"), [
    "3 causes: A +2",
    "2 of 2 symptoms that no cause explains · also: X",
  ]);
  assert.deepEqual(said([finding("x", "symptom"), finding("z", "caution")], "x"), [
    "1 symptom",
    "1 caution: Z",
  ]);
  const mild = { ...finding("m", "cause"), severity: "info" };
  assert.deepEqual(said([...two, mild], "a"), ["1 of 2 causes · also: B", "1 notice: M"]);
});

test("findings over time are in the order in which they begin, each as far as it lasts", () => {
  const one = (id, first_step, over = {}) => ({ id, severity: "critical", first_step, ...over });
  const findings = [
    one("late", 50, { reported_step: 60 }),
    one("early", 0, { recovered_step: 25, severity: "info" }),
    one("notice", 10, { severity: "info" }),
  ];
  const bars = barsOf({ findings, last_step: 99 });
  assert.deepEqual(
    bars.map(({ finding, from, found, to }) => [finding.id, from, found, to]),
    [
      ["early", 0, 0, 0.25],
      ["late", 0.5, 0.6, 1],
    ],
  );
  const together = [one("a", 0), one("b", 0)];
  assert.deepEqual(barsOf({ findings: together, last_step: 99 }), [], "nothing to see");
  assert.deepEqual(barsOf({ findings, last_step: -1 }), [], "no step at all");
});
