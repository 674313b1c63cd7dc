/** What is said of histograms: rules as text, from buttons and from links. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readLink, writeLink } from "../src/state/link.js";
import { emptySelection } from "../src/state/selection.js";
import { DEFAULT_VIEW } from "../src/state/state.js";
import { answerTo, openQuestions, readRules, soundTags, withAnswer } from "../src/state/tags.js";

const family = (/** @type {any} */ over) =>
  /** @type {any} */ ({
    pattern: "{v}",
    why: "either",
    role: null,
    count: 3,
    examples: [],
    ...over,
  });

test("an answer is added, changed and taken back", () => {
  let tags = withAnswer("", "{v}", "variables");
  assert.equal(tags, "variables={v}");
  tags = withAnswer(tags, "act/{v}", "neither");
  assert.equal(tags, "neither=act/{v},variables={v}", "what says more comes first");
  tags = withAnswer(tags, "{v}", "gradients");
  assert.equal(tags, "neither=act/{v},gradients={v}");
  assert.equal(answerTo(tags, family({})), "gradients");
  assert.equal(withAnswer(withAnswer(tags, "{v}", null), "act/{v}", null), "");
});

test("a pattern keeps its escapes", () => {
  const odd = "a\\,b\\{/{v}";
  const tags = withAnswer("variables={v}", odd, "gradients");
  assert.deepEqual(readRules(tags), [
    { role: "gradients", pattern: odd },
    { role: "variables", pattern: "{v}" },
  ]);
});

test("there is room for 32 answers of 2,000 characters; one more changes nothing", () => {
  let tags = "";
  for (let index = 0; index < 40; index += 1) tags = withAnswer(tags, `a${index}/{v}`, "neither");
  assert.equal(readRules(tags).length, 32);
  assert.equal(withAnswer(tags, "more/{v}", "neither"), tags);
  assert.equal(withAnswer("neither={v}", `${"x".repeat(2000)}/{v}`, "neither"), "neither={v}");
});

for (const bad of [
  "dW/{v}",
  "biases={v}",
  "gradients=dW",
  "gradients={v}{v}",
  "gradients={}",
  "gradients={w}",
  "gradients={\\*}",
  "gradients=\\{v}",
  "gradients={v}}",
  `gradients={v}${"x".repeat(2000)}`,
  ",".repeat(10),
  "gradients={v},x",
]) {
  test(`what the server would refuse is not let in: ${bad.slice(0, 30)}`, () => {
    assert.equal(soundTags(bad), "");
    assert.equal(readLink(`#p.convergence.tags=${encodeURIComponent(bad)}`).view.tags, undefined);
  });
}

test("the answer lives in the link", () => {
  const tags = "gradients=dW/{v},variables={conv*},neither=a\\,b{v}";
  const hash = writeLink("#convergence", emptySelection(), { ...DEFAULT_VIEW, tags }, DEFAULT_VIEW);
  assert.equal(readLink(hash).view.tags, tags);
  assert.equal(
    writeLink("#convergence", emptySelection(), { ...DEFAULT_VIEW }, DEFAULT_VIEW),
    "#convergence",
  );
});

test("what TensorBoard's flag said stands until the page says otherwise", () => {
  const told = family({ why: "user", role: "variable" });
  assert.equal(answerTo("", told), "variables");
  assert.equal(answerTo("gradients={v}", told), "gradients");
});

test("only what matters is asked: unknown names where nothing else was read", () => {
  const families = [
    family({}),
    family({ pattern: "act/{v}", why: "unknown" }),
    family({ pattern: "g/{v}", why: "user", role: "gradient" }),
    family({ pattern: "h/{v}", why: "user", role: "gradient", count: 0 }),
  ];
  const patterns = (/** @type {any[]} */ found) => found.map((one) => one.pattern);
  assert.deepEqual(patterns(openQuestions(families, "", false)), ["{v}"]);
  assert.deepEqual(patterns(openQuestions(families, "", true)), ["{v}", "act/{v}"]);
  assert.deepEqual(patterns(openQuestions(families, "variables={v}", false)), []);
});
