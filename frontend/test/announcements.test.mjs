/** What is announced: news, once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../src/data/api.js";
import { emptySlot } from "../src/data/loader.js";
import { announcement } from "../src/state/announcements.js";

/** @param {any} data */
const ready = (data) => ({
  ...emptySlot(),
  key: "a",
  status: /** @type {const} */ ("ready"),
  data,
});
const findings = {
  run: "a",
  findings: [{ title: "The learning rate is too high", severity: "critical" }],
};
/** @param {string} severity */
const run = (severity) => ({
  run: severity,
  severity,
  verdict: severity === "healthy" ? { state: "nothing-found" } : null,
  error: null,
});

test("findings are announced when they arrive, not when a refresh repeats them", () => {
  const said = announcement("findings", ready(findings), emptySlot());
  assert.equal(said, "Run a: 1 finding, first The learning rate is too high, critical.");
  assert.equal(announcement("findings", ready({ ...findings }), ready(findings)), "");
  assert.notEqual(
    announcement("findings", ready({ ...findings, findings: [] }), ready(findings)),
    "",
  );
});

test("examining is announced at its beginning and at its end", () => {
  const some = { runs: [run("critical"), run("pending")], pending: 1 };
  const all = { runs: [run("critical"), run("healthy")], pending: 0 };
  assert.equal(announcement("runs", ready(some), emptySlot()), "Examining 2 runs.");
  assert.equal(announcement("runs", ready(some), ready(some)), "");
  assert.equal(
    announcement("runs", ready(all), ready(some)),
    "All 2 runs are examined: 1 sick, 1 nothing found.",
  );
  assert.equal(announcement("runs", ready(all), ready(all)), "");
  const sick = ["warning", "healthy", "warning", "info", "critical", "critical"].map(run);
  assert.equal(
    announcement("runs", ready({ runs: sick, pending: 0 }), ready(some)),
    "All 6 runs are examined: 4 sick, 1 not decided, 1 nothing found.",
  );
});

test("a failure and its end are announced", () => {
  const error = new ApiError("TensorBoard does not answer.", "network");
  const failed = {
    ...ready({ runs: [], pending: 0 }),
    status: /** @type {const} */ ("error"),
    error,
  };
  assert.equal(announcement("runs", failed, emptySlot()), "TensorBoard does not answer.");
  assert.equal(
    announcement("runs", ready({ runs: [], pending: 0 }), failed),
    "TensorBoard answers again.",
  );
});
