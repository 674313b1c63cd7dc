/** The table of runs: what rows say, how they are grouped and sorted, which of many are drawn. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lineWords, pieces } from "../src/data/health_line.js";
import { changedSettings, sweptSettings } from "../src/data/sweep.js";
import { between } from "../src/model/run_range.js";
import {
  coverageText,
  GROUP,
  grouping,
  ROW,
  runRows,
  sortRows,
  tableRows,
  windowOf,
} from "../src/model/runs_table.js";

/**
 * @param {string} run
 * @param {any} [more]
 * @returns {any}
 */
function summary(run, more = {}) {
  return {
    run,
    severity: "unknown",
    verdict: null,
    first: null,
    last_step: 100,
    loss: null,
    settings: {},
    health: "",
    error: null,
    ...more,
  };
}

/** @param {string} run @param {string} id @param {number} at @param {any} [more] */
const sick = (run, id, at, more = {}) =>
  summary(run, {
    severity: "critical",
    verdict: { state: "sick", decided: 30, applicable: 35, why: "" },
    first: {
      id,
      kind: "cause",
      title: `${id} in 2 layers`,
      rule_title: `The ${id}`,
      first_step: at,
      layers: ["dense", "dense_1"],
      layer_count: 5,
    },
    ...more,
  });
const well = (/** @type {string} */ run, /** @type {any} */ more = {}) =>
  summary(run, {
    severity: "healthy",
    verdict: { state: "nothing-found", decided: 33, applicable: 35, why: "" },
    ...more,
  });
const open = (/** @type {string} */ run) =>
  summary(run, { verdict: { state: "not-decided", decided: 6, applicable: 35, why: "" } });

const RUNS = [
  sick("d/b10", "rate", 214, { loss: "NaN" }),
  sick("d/b9", "rate", 9, { loss: 2.4 }),
  open("e/open"),
  well("d/well", { loss: 0.01 }),
  sick("dead", "relu", 0, { severity: "warning", loss: 2.3 }),
];
const rows = runRows(RUNS, RUNS);
/** @param {any[]} of */
const names = (of) => of.map((row) => (row.kind === "group" ? `# ${row.title}` : row.run.run));
/** @param {any} order @param {string[]} [folded] */
const listed = (order, folded = []) =>
  names(tableRows(rows, { groups: "none", sort: "run", down: false, ...order }, folded));

test("a row says the cause and where, else how much could be decided", () => {
  assert.equal(rows[0].cause, "rate in 2 layers");
  assert.equal(rows[0].where, "dense, dense_1 and 3 more");
  assert.equal(rows[0].onset, 214);
  assert.ok(Number.isNaN(rows[0].loss));
  assert.equal(rows[2].cause, "29 of 35 checks undecided");
  assert.equal(rows[2].onset, null);
  assert.equal(rows[3].cause, "33 of 35 checks decided");
  assert.equal(coverageText(summary("r", { error: "it is damaged" })), "it is damaged");
  assert.equal(coverageText(summary("r")), "no data to judge");
});

test("runs of one cause stand together, whatever their titles and severities; worst groups first", () => {
  assert.deepEqual(listed({ groups: "cause" }), [
    "# The rate",
    "d/b9",
    "d/b10",
    "# The relu",
    "dead",
    "# Not decided",
    "e/open",
    "# Nothing found",
    "d/well",
  ]);
  assert.deepEqual(listed({ groups: "cause" }, ["cause rate", "nothing-found"]), [
    "# The rate",
    "# The relu",
    "dead",
    "# Not decided",
    "e/open",
    "# Nothing found",
  ]);
  assert.deepEqual(listed({ groups: "verdict" })[0], "# Sick");
  assert.deepEqual(listed({ groups: "folder" }), [
    "# no folder",
    "dead",
    "# d",
    "d/b9",
    "d/b10",
    "d/well",
    "# e",
    "e/open",
  ]);
  assert.equal(grouping(null, 5), "none");
  assert.equal(grouping(null, 60), "cause");
  assert.equal(grouping("folder", 5), "folder");
});

test("sorting puts numbers in names in order, and what has no value last, whichever way", () => {
  assert.deepEqual(listed({ sort: "run" }), ["d/b9", "d/b10", "d/well", "dead", "e/open"]);
  assert.deepEqual(listed({ sort: "onset" }).slice(0, 3), ["dead", "d/b9", "d/b10"]);
  assert.deepEqual(listed({ sort: "onset", down: true }).slice(0, 3), ["d/b10", "d/b9", "dead"]);
  assert.equal(listed({ sort: "loss" }).at(-1), "e/open");
  assert.equal(listed({ sort: "loss", down: true }).at(-1), "e/open");
  assert.equal(listed({ sort: "loss", down: true })[0], "d/b10", "NaN is worse than any loss");
  const same = sortRows(rows.slice(0, 2), "last", true);
  assert.deepEqual(names(same), ["d/b10", "d/b9"], "equal values keep their order");
});

test("of 10,000 rows some dozens are drawn, and the rest has its height", () => {
  const many = runRows(
    [],
    Array.from({ length: 10_000 }, (_, index) => well(`r${index}`)),
  );
  const all = tableRows(many, { groups: "verdict", sort: "run", down: false }, []);
  const total = GROUP + 10_000 * ROW;
  for (const scrolled of [0, 1, 5_000, 123_456, total]) {
    const { rows: drawn, above, below } = windowOf(all, scrolled, 900);
    const height = drawn.reduce((sum, row) => sum + (row.kind === "group" ? GROUP : ROW), 0);
    assert.equal(above + height + below, total);
    assert.ok(drawn.length < 100, `${drawn.length} rows at ${scrolled}`);
    assert.ok(above <= scrolled);
    assert.ok(above + height >= Math.min(total, scrolled + 900));
  }
  assert.equal(windowOf(all.slice(0, 100), 0, 10).rows.length, 100);
});

test("a range is taken in the order of the table", () => {
  const all = tableRows(rows, { groups: "cause", sort: "run", down: false }, []);
  assert.deepEqual(between(all, "d/b10", "e/open"), ["d/b10", "dead", "e/open"]);
  assert.deepEqual(between(all, "e/open", "d/b10"), ["d/b10", "dead", "e/open"]);
  assert.deepEqual(between(all, null, "dead"), ["dead"]);
  assert.deepEqual(between(all, "gone", "dead"), ["dead"]);
});

test("what differs in a sweep is what is not the most common value", () => {
  const set = (/** @type {any} */ settings) => summary("r", { settings });
  const base = { "optimizer.learning_rate": "0.01", batch_size: "32", steps_per_epoch: "9" };
  const runs = [
    set(base),
    set(base),
    set({ ...base, "optimizer.learning_rate": "0.3", steps_per_epoch: "8" }),
    set({ ...base, batch_size: "8", "optimizer.class": "SGD" }),
    set({}),
  ];
  const swept = sweptSettings(runs);
  assert.deepEqual([...swept.keys()], ["optimizer.learning_rate", "batch_size"]);
  assert.deepEqual(
    runs.map((run) => changedSettings(run, swept)),
    [[], [], ["lr 0.3"], ["batch 8"], []],
  );
});

test("a health line is read in pieces and told in words", () => {
  const found = pieces("0012nn..");
  assert.deepEqual(found, [
    { from: 0, to: 0.25, level: "within" },
    { from: 0.25, to: 0.375, level: "above-1" },
    { from: 0.375, to: 0.5, level: "above-2" },
    { from: 0.5, to: 0.75, level: "nan" },
    { from: 0.75, to: 1, level: "none" },
  ]);
  assert.equal(lineWords(found, 100), "NaN from about step 50 on");
  assert.equal(lineWords(pieces("000"), 9), "within limits");
  assert.equal(
    lineWords(pieces("0dd0"), 100),
    "more than 100 times below a limit from about step 25 on",
  );
  assert.equal(lineWords([], 0), "no steps");
  assert.equal(pieces("0?")[1].level, "none", "a letter of a later version");
});
