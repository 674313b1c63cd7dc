/** What passes by itself is tried again, ever more rarely; what does not pass is left alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../src/data/api.js";
import { createRecovery } from "../src/data/recovery.js";

function watched() {
  /** @type {{action: () => void, milliseconds: number}[]} */
  const planned = [];
  /** @type {string[]} */
  const done = [];
  const recovery = createRecovery(
    (name) => done.push(`retry ${name}`),
    () => done.push("returned"),
    (action, milliseconds) => planned.push({ action, milliseconds }),
  );
  /** @param {string} name @param {ApiError["reason"]} [reason] */
  const tell = (name, reason) =>
    recovery.told(name, {
      key: name,
      status: reason ? "error" : "ready",
      data: null,
      previous: null,
      error: reason ? new ApiError("no", reason) : null,
    });
  return { planned, done, tell };
}

test("while TensorBoard does not answer, one request asks for all", () => {
  const { planned, done, tell } = watched();
  for (const name of ["runs", "findings", "heat"]) tell(name, "network");
  assert.equal(planned.length, 1);
  planned[0].action();
  assert.deepEqual(done, ["retry runs"]);
});

test("it is asked ever more rarely, but never less than twice a minute", () => {
  const { planned, tell } = watched();
  for (let times = 0; times < 8; times += 1) {
    tell("runs", "network");
    planned.at(-1)?.action();
  }
  const waits = planned.map(({ milliseconds }) => milliseconds);
  assert.deepEqual(waits.slice(0, 4), [2000, 4000, 8000, 16000]);
  assert.deepEqual(waits.slice(4), [30000, 30000, 30000, 30000]);
});

test("when it is back, everything is brought up to date, once", () => {
  const { done, tell } = watched();
  tell("findings", "network");
  tell("runs");
  tell("runs");
  assert.deepEqual(done, ["returned"]);
});

test("a reply that arrives first makes the retry needless", () => {
  const { planned, done, tell } = watched();
  tell("heat", "busy");
  tell("heat");
  planned[0].action();
  assert.deepEqual(done, []);
  tell("heat", "busy");
  assert.equal(planned[1].milliseconds, 2000, "patience begins anew");
});

test("what trying again does not mend is left to the person", () => {
  const { planned, tell } = watched();
  for (const reason of /** @type {const} */ (["schema", "missing", "refused", "server"])) {
    tell("findings", reason);
  }
  assert.equal(planned.length, 0);
});
