/** How a run is doing, and what a refresh brings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../src/data/api.js";
import { emptySlot } from "../src/data/loader.js";
import { startPoll } from "../src/data/poll.js";
import { clockTime, duration, liveOf, usualGap } from "../src/model/live.js";
import { newsOf } from "../src/state/news.js";
import { emptySelection, settle } from "../src/state/selection.js";

const NOW = 1_800_000_000;
/** @param {number | null} ago @param {any} [more] */
const run = (ago, more = {}) =>
  /** @type {any} */ ({
    run: "r",
    last_step: 214,
    axis: "step",
    latest_seconds: ago === null ? null : NOW - ago,
    severity: "unknown",
    verdict: null,
    first: null,
    error: null,
    ...more,
  });
const clock = { now: NOW, read: NOW - 2, away: false };

test("a run is running while its records come, then silent, then old", () => {
  const live = liveOf(run(12), 1, clock);
  assert.equal(live.state, "running");
  assert.equal(live.text, "running");
  assert.equal(live.more, `last record 12 s ago · step 214 · read ${clockTime(NOW - 2)}`);
  assert.equal(liveOf(run(61), 1, clock).state, "silent");
  assert.equal(liveOf(run(840), 1, clock).text, "no record for 14 min");
  assert.equal(liveOf(run(4000), 1, clock).text, "last record 1 h ago");
  assert.equal(liveOf(run(200), 30, clock).state, "running", "ten usual gaps are no silence");
  assert.equal(liveOf(run(301), 30, clock).state, "silent");
});

test("what is not known is not claimed", () => {
  assert.equal(liveOf(run(null), null, clock).state, "old");
  assert.match(liveOf(run(-3600), 1, clock).more, /by the training's clock/);
  const away = liveOf(run(12), 1, { ...clock, away: true });
  assert.equal(away.state, "away");
  assert.equal(away.text, "TensorBoard is away");
  assert.equal(away.more, `shown as read at ${clockTime(NOW - 2)}`);
});

test("the usual gap is the median of the last ones", () => {
  const of = (/** @type {(number | null)[]} */ wall_times, axis = "step") =>
    usualGap(/** @type {any} */ ({ data: { series: [{ axis, wall_times }] } }));
  assert.equal(of([0, 1, 2, 3, 60]), 1);
  assert.equal(of([0, null, 2]), null);
  assert.equal(of([0, 1, 2, 3], "epoch"), null);
  assert.equal(usualGap(emptySlot()), null);
});

test("durations have one unit", () => {
  assert.deepEqual([0, 59.4, 60, 3599, 3600, 47 * 3600, 49 * 3600, 24 * 86400].map(duration), [
    "0 s",
    "59 s",
    "1 min",
    "59 min",
    "1 h",
    "47 h",
    "2 days",
    "24 days",
  ]);
});

/** @param {string} id @param {string} severity @param {any} [more] */
const finding = (id, severity, more = {}) => ({
  id,
  kind: "cause",
  severity,
  title: `T ${id}`,
  summary: "",
  first_step: 171,
  layers: ["dense"],
  evidence: [],
  explained_by: null,
  recovered_step: null,
  ...more,
});
/** @param {any[]} findings */
const reply = (...findings) => ({ run: "r", last_step: 163, findings });

test("a finding that becomes critical is news, once", () => {
  const before = reply(finding("a", "warning"));
  const news = newsOf(
    "findings",
    before,
    reply(finding("a", "warning"), finding("nan", "critical")),
    "r",
  );
  assert.equal(news?.finding, "nan");
  assert.equal(news?.from, "warning");
  assert.equal(news?.to, "critical");
  assert.equal(news?.seen, 163);
  assert.equal(newsOf("findings", before, reply(finding("a", "critical")), "r")?.finding, "a");
  const same = reply(finding("nan", "critical"));
  assert.equal(newsOf("findings", same, same, "r"), null);
  assert.equal(newsOf("findings", before, reply(finding("b", "warning")), "r"), null);
  const over = reply(finding("nan", "critical", { recovered_step: 180 }));
  assert.equal(newsOf("findings", before, over, "r"), null);
});

test("another run that becomes critical is news; one that was still being examined is not", () => {
  const bad = { id: "nan", title: "NaN", first_step: 5, layers: [], layer_count: 0 };
  const runs = (/** @type {string} */ severity) => ({
    runs: [run(1), run(1, { run: "other", severity, first: bad })],
  });
  assert.equal(newsOf("runs", runs("warning"), runs("critical"), "r")?.run, "other");
  assert.equal(newsOf("runs", runs("pending"), runs("critical"), "r"), null);
  assert.equal(newsOf("runs", runs("critical"), runs("critical"), "r"), null);
  assert.equal(newsOf("runs", runs("warning"), runs("critical"), "other"), null);
  assert.equal(newsOf("series", {}, {}, "r"), null);
});

test("a finding that is gone gives way to the first one, and is remembered", () => {
  const groups = [{ group: "variables", metrics: [], rows: [] }];
  const chosen = { ...emptySelection(), run: "r", finding: "old", auto: false };
  const data = { runs: [run(1)], pending: 0, findings: [finding("new", "critical")], groups };
  const found = settle(/** @type {any} */ (chosen), /** @type {any} */ (data));
  assert.equal(found.finding, "new");
  assert.equal(found.vanished, "old");
  assert.equal(found.step, 171);
  const early = settle(/** @type {any} */ (chosen), /** @type {any} */ ({ ...data, groups: null }));
  assert.equal(early.finding, "new");
  assert.equal(early.auto, true, "its layer is followed when it is known");
  const none = settle(/** @type {any} */ (chosen), /** @type {any} */ ({ ...data, findings: [] }));
  assert.equal(none.finding, null);
  assert.equal(none.vanished, "old");
});

test("the page asks by itself, often or seldom, and not while nobody can see it", async () => {
  /** @type {[() => void, number][]} */
  const timers = [];
  let pace = /** @type {any} */ ("often");
  let stamp = "1";
  let known = "1";
  /** @type {any[]} */
  const told = [];
  startPoll(
    {
      stamp: async () => {
        if (stamp === "") throw new ApiError("away", "network");
        return stamp;
      },
      known: () => known,
      pace: () => pace,
      answered: (changed) => told.push(changed),
      failed: (error) => told.push(error),
    },
    (action, milliseconds) => timers.push([action, milliseconds]),
  );
  const tick = async () => {
    const [action] = /** @type {[() => void, number]} */ (timers.pop());
    action();
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  assert.equal(timers[0][1], 10_000);
  await tick();
  assert.deepEqual(told.splice(0), [false]);
  stamp = "2";
  await tick();
  assert.deepEqual(told.splice(0), [true]);
  pace = "never";
  await tick();
  assert.deepEqual(told, []);
  pace = "seldom";
  stamp = "";
  await tick();
  assert.equal(told.splice(0)[0].reason, "network");
  assert.equal(timers[0][1], 30_000, "it goes on after a failure");
  known = "";
  await tick();
  assert.deepEqual(told, [], "nothing is shown, so nothing can be old");
});
