/** Which scalar is the loss: what is asked, what is said, what is remembered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { askable, candidate, fetchCandidates, MOST_ASKED } from "../src/data/candidates.js";
import { remember, remembered } from "../src/host/memory.js";
import { answerTo, scalarAnswers, soundTags, withAnswer, withScalars } from "../src/state/tags.js";
import { asksForLoss } from "../src/views/picker.js";

/** @param {[string, string][]} said */
const answers = (...said) => /** @type {any} */ (new Map(said));

test("answers are rules that the server takes, whatever a tag is called", () => {
  const said = answers(["a,b+c\\d{e}", "loss"], ["val", "validation"], ["x", "no_scalar"]);
  const text = withScalars("", said);
  assert.equal(text, "loss=a\\,b\\+c\\\\d\\{e\\},validation=val,no_scalar=x");
  assert.equal(soundTags(text), text);
  assert.deepEqual([...scalarAnswers(text)], [...said]);
});

test("several losses are a sum, and rules about histograms and trainings stay", () => {
  const before = "gradients=dW/{v},training=2,loss=old";
  const text = withScalars(before, answers(["box", "loss"], ["cls", "loss"]));
  assert.equal(text, "gradients=dW/{v},training=2,loss=box+cls");
  assert.deepEqual([...scalarAnswers(text).keys()], ["box", "cls"]);
  assert.equal(withScalars(text, answers()), "gradients=dW/{v},training=2");
  const more = withAnswer(text, "W/{v}", "variables");
  assert.equal(more, "gradients=dW/{v},variables=W/{v},training=2,loss=box+cls");
  const family = /** @type {any} */ ({ pattern: "W/{v}", role: null });
  assert.equal(answerTo(more, family), "variables");
});

test("what the server would refuse is not let in from a link", () => {
  for (const bad of ["loss=", "speed=x", "loss", "=x", `loss=${"x".repeat(2001)}`]) {
    assert.equal(soundTags(bad), "", bad);
  }
});

const scalar = (
  /** @type {string} */ tag,
  /** @type {string} */ use,
  /** @type {any} */ role = null,
) => ({
  tag,
  run: "r",
  role,
  use: /** @type {any} */ (use),
  higher_is_better: null,
});

test("it is asked where a scalar may be the loss and none was read as one", () => {
  assert.equal(asksForLoss([scalar("a", "asked")]), true);
  assert.equal(asksForLoss([scalar("a", "asked"), scalar("b", "read", "loss")]), false);
  assert.equal(asksForLoss([scalar("a", "asked"), scalar("b", "spare", "loss")]), true);
  assert.equal(asksForLoss([scalar("b", "read", "loss")]), false);
});

test("rows are those that may be meant, each name once, and not too many", () => {
  const many = Array.from({ length: 50 }, (_, index) => scalar(`m${index}`, "spare", "metric"));
  const found = askable([
    ...many,
    scalar("a", "asked"),
    scalar("a", "asked"),
    scalar("l", "read", "loss"),
  ]);
  assert.deepEqual(
    found.slice(0, 2).map(({ tag }) => tag),
    ["l", "a"],
  );
  assert.equal(found.length, MOST_ASKED);
  assert.deepEqual(askable([scalar("timer", "spare", "other")]), []);
});

test("a curve is told in words", () => {
  const points = (/** @type {(step: number) => any} */ f) =>
    Array.from({ length: 200 }, (_, k) => [1e9 + k, 50 * k, f(k)]);
  const falls = candidate(
    "a",
    "r",
    points((k) => 3 * Math.exp(-k / 40)),
  );
  assert.equal(falls.look, "falls, never negative, every 50 steps");
  assert.ok(falls.values.length <= 61);
  assert.equal(falls.first, 3);
  assert.equal(
    candidate(
      "a",
      "r",
      points((k) => k / 400),
    ).look,
    "rises, between 0 and 1, every 50 steps",
  );
  assert.match(
    candidate(
      "a",
      "r",
      points(() => -1),
    ).look,
    /^constant, every/,
  );
  assert.match(
    candidate(
      "a",
      "r",
      points((k) => (k % 7) - 3),
    ).look,
    /^no clear trend/,
  );
  const many = Array.from({ length: 200_000 }, (_, k) => [1e9 + k, k, 1 - k / 200_000]);
  assert.equal(candidate("a", "r", many).look, "falls, between 0 and 1, every step");
  const lost = candidate(
    "a",
    "r",
    points((k) => (k > 100 ? "NaN" : 5)),
  );
  assert.equal(lost.last, 5);
  assert.equal(lost.values.at(-1), null);
  for (const odd of [null, {}, [1, 2], "x"])
    assert.equal(candidate("a", "r", odd).look, "could not be read");
});

test("a curve that cannot be had leaves the row", async () => {
  const asked = [scalar("a b&c", "asked"), scalar("gone", "asked")];
  /** @type {string[]} */
  const addresses = [];
  const fetcher = /** @type {any} */ (
    async (/** @type {string} */ address) => {
      addresses.push(address);
      if (address.includes("gone")) throw new TypeError("away");
      return {
        ok: true,
        json: async () => [
          [1, 0, 2],
          [2, 1, 1],
        ],
      };
    }
  );
  const found = await fetchCandidates(fetcher, asked, new AbortController().signal);
  assert.equal(addresses[0], "../scalars/scalars?run=r&tag=a+b%26c");
  assert.deepEqual(
    found.map(({ look }) => look),
    ["falls, never negative, every step", "could not be read"],
  );
});

test("the browser remembers answers by the names they were about", () => {
  const kept = new Map();
  globalThis.localStorage = /** @type {any} */ ({
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ text) => kept.set(key, text),
  });
  remember(["b", "a"], "loss=a");
  assert.equal(remembered(["a", "b"]), "loss=a");
  assert.equal(remembered(["a"]), "");
  for (let index = 0; index < 30; index += 1) remember([`n${index}`], "loss=x");
  assert.equal(remembered(["a", "b"]), "", "the oldest is forgotten");
  assert.equal(remembered(["n29"]), "loss=x");
  remember(["n29"], "");
  assert.equal(remembered(["n29"]), "");
  assert.ok([...kept.keys()].every((key) => key.startsWith("tb_convergence.")));
  kept.set("tb_convergence.scalars", "{broken");
  assert.equal(remembered(["n1"]), "");
});
