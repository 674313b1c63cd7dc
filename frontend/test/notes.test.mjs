/** Notes on runs, kept in the browser: bounded, and whatever else lies in the storage is no harm. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { keepNote, LONGEST, noteOn } from "../src/host/notes.js";
import { unsaid } from "../src/views/verdict_card.js";

/** @type {Map<string, string>} */
let kept;
beforeEach(() => {
  kept = new Map();
  globalThis.localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, text) => void kept.set(key, text),
  };
});

test("a note is kept for its run, changed, and forgotten", () => {
  assert.equal(noteOn("a"), "");
  assert.ok(keepNote("a", "too high?"));
  keepNote("b", "fine");
  assert.equal(noteOn("a"), "too high?");
  keepNote("a", "no");
  assert.equal(noteOn("a"), "no");
  keepNote("a", "");
  assert.equal(noteOn("a"), "");
  assert.equal(noteOn("b"), "fine");
});

test("notes are bounded in length and number", () => {
  keepNote("long", "x".repeat(10 * LONGEST));
  assert.equal(noteOn("long").length, LONGEST);
  for (let at = 0; at < 300; at += 1) keepNote(`run ${at}`, "n");
  assert.equal(noteOn("long"), "", "the oldest is forgotten first");
  assert.equal(noteOn("run 299"), "n");
});

test("a storage that is damaged, forbidden or full is no harm", () => {
  for (const damaged of ["{", "3", '{"a":1}', '[["a"],[1,2],null,["a","b","c"]]']) {
    kept.set("tb_convergence.notes", damaged);
    assert.equal(noteOn("a"), "");
  }
  globalThis.localStorage = {
    getItem() {
      throw new Error("forbidden");
    },
    setItem() {
      throw new Error("full");
    },
  };
  assert.equal(noteOn("a"), "");
  assert.equal(keepNote("a", "n"), false);
});

test("a verdict's first sentence is not said twice", () => {
  const why = "The loss fell from 2.28 to 0.102. 38 of 38 checks could run.";
  assert.equal(
    unsaid(why, "The loss fell from 2.28 to 0.102 (mean of the last tenth)."),
    "38 of 38 checks could run.",
  );
  assert.equal(unsaid(why, "The loss rose."), why);
  assert.equal(unsaid("No gradients were recorded.", ""), "No gradients were recorded.");
});
