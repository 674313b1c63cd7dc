/** What came and went in the findings of a run while its page was open. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { watch } from "../src/state/watched.js";

/** @param {number} last_step @param {string[]} ids @param {string} [run] @returns {any} */
const reply = (last_step, ids, run = "r") => ({
  run,
  last_step,
  findings: ids.map((id) => ({ id, title: `Title of ${id}` })),
});

/** @param {any[]} replies */
function through(replies) {
  return replies.slice(1).reduce((known, after, at) => watch(known, replies[at], after), null);
}

test("what was there from the beginning neither came nor went", () => {
  assert.equal(through([reply(10, ["a"]), reply(20, ["a"]), reply(30, ["a"])]), null);
});

test("what came has the step at which it was first read, and keeps it", () => {
  const found = through([reply(10, ["a"]), reply(20, ["a", "b"]), reply(30, ["b", "a"])]);
  assert.deepEqual([...found.came], [["b", 20]]);
  assert.deepEqual(found.gone, []);
});

test("what went is listed with its step, until it is there again", () => {
  const gone = through([reply(10, ["a", "b"]), reply(20, ["a"]), reply(30, ["a"])]);
  assert.deepEqual(gone.gone, [{ id: "b", title: "Title of b", step: 20 }]);
  const back = watch(gone, reply(30, ["a"]), reply(40, ["a", "b"]));
  assert.deepEqual(back?.gone, []);
  assert.deepEqual([...(back?.came ?? [])], [["b", 40]]);
});

test("another run begins anew", () => {
  const one = through([reply(10, []), reply(20, ["a"])]);
  const other = watch(one, reply(5, ["c"], "s"), reply(6, [], "s"));
  assert.deepEqual(other, {
    run: "s",
    came: new Map(),
    gone: [{ id: "c", title: "Title of c", step: 6 }],
  });
});
