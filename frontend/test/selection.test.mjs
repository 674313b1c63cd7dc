/** The one selection, and the link that carries it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { rowMarks } from "../src/model/map.js";
import { listRuns } from "../src/model/run_list.js";
import { flagsOf } from "../src/model/time.js";
import { readLink, writeLink } from "../src/state/link.js";
import { memo } from "../src/state/memo.js";
import { fittingMetric } from "../src/state/metrics.js";
import {
  emptySelection,
  firstRun,
  rowIndex,
  rowKey,
  rowsOf,
  settle,
  showFinding,
} from "../src/state/selection.js";
import { DEFAULT_VIEW, initialState, selectRun } from "../src/state/state.js";
import { tree } from "../src/views/findings.js";

const run = (/** @type {string} */ name, /** @type {any} */ severity, error = null) =>
  /** @type {any} */ ({ run: name, severity, error });
const row = (/** @type {string} */ name, layer = name, kind = "kernel") =>
  /** @type {any} */ ({ name, layer, kind });
const metric = (/** @type {string} */ name, title = name) => /** @type {any} */ ({ name, title });
const finding = (/** @type {any} */ over) =>
  /** @type {any} */ ({
    id: "x",
    kind: "cause",
    severity: "warning",
    title: "X",
    summary: "",
    first_step: 7,
    layers: [],
    evidence: [],
    shows: [],
    explained_by: null,
    ...over,
  });

const GROUPS = /** @type {any} */ ([
  {
    group: "variables",
    rows: [row("a/bias", "a", "bias"), row("a/kernel", "a"), row("b/kernel", "b")],
    metrics: [metric("gradient_norm", "Gradient norm"), metric("update_ratio", "Update ratio")],
  },
  {
    group: "activations",
    rows: [row("a", "a", "output"), row("b", "b", "output")],
    metrics: [metric("activation_dead_fraction", "Dead units")],
  },
  { group: "inputs", rows: [row("x")], metrics: [] },
]);

test("the first run shown is the worst, of equals the first listed", () => {
  assert.equal(firstRun([run("a", "healthy"), run("b", "critical"), run("c", "critical")]), "b");
  assert.equal(firstRun([run("a", "healthy"), run("b", "unknown", "damaged")]), "b");
  assert.equal(firstRun([]), null);
});

test("runs are listed worst first, filtered by name and state", () => {
  const runs = [
    run("a", "healthy"),
    run("B", "critical"),
    run("c", "warning"),
    run("b2", "critical"),
  ];
  const names = (/** @type {any[]} */ found) => found.map((one) => one.run);
  const listed = (/** @type {any} */ view) =>
    names(listRuns(runs, { ...DEFAULT_VIEW, ...view }).shown);
  assert.deepEqual(listed({}), ["B", "b2", "c", "a"]);
  assert.deepEqual(listed({ runFilter: "b" }), ["B", "b2"]);
  assert.deepEqual(listed({ runFilter: "b2|c" }), ["b2", "c"]);
  assert.deepEqual(listed({ runFilter: "^b$" }), ["B"]);
  assert.deepEqual(
    listed({ runFilter: "(" }),
    ["B", "b2", "c", "a"],
    "a bad pattern hides nothing",
  );
  assert.deepEqual(listed({ runState: "sick" }), ["B", "b2", "c"]);
  assert.deepEqual(listed({ runState: "not-decided" }), ["a"], "green needs a verdict");
  assert.deepEqual(listed({ hiddenRuns: ["B", "gone"] }), ["b2", "c", "a"]);
  assert.deepEqual(listed({ hiddenRuns: ["B"], showHidden: true }), ["B", "b2", "c", "a"]);
});

test("rows of one name stay apart", () => {
  const rows = [row("same"), row("other"), row("same"), row("same")];
  const keys = rows.map((_row, index) => rowKey(rows, index));
  assert.equal(new Set(keys).size, 4);
  assert.deepEqual(
    keys.map((key) => rowIndex(rows, key)),
    [0, 1, 2, 3],
  );
  assert.equal(rowIndex(rows, "gone"), -1);
  assert.equal(rowIndex(rows, null), -1);
  assert.equal(rowIndex(rows, "__proto__"), -1);
});

test("showing a finding moves run, step, metric and row", () => {
  const dead = finding({
    id: "dead-relu",
    layers: ["b"],
    first_step: "9007199254740993",
    shows: ["activation_dead_fraction"],
  });
  const next = showFinding({ ...emptySelection(), run: "r" }, dead, GROUPS);
  assert.deepEqual(next, {
    run: "r",
    finding: "dead-relu",
    group: "activations",
    metric: "activation_dead_fraction",
    row: "b",
    step: 2 ** 53,
    provisional: false,
    auto: false,
    missing: null,
    vanished: null,
  });
});

test("of a layer the kernel is opened, unless the evidence is of another row", () => {
  const shows = ["gradient_norm"];
  const found = finding({ layers: ["a"], shows, evidence: [{ row: null }] });
  assert.equal(showFinding(emptySelection(), found, GROUPS).row, "a/kernel");
  const single = finding({ layers: ["a"], shows, evidence: [{ row: "a/bias" }] });
  assert.equal(showFinding(emptySelection(), single, GROUPS).row, "a/bias");
});

test("a finding opens the first statistic it shows that is on offer, or leaves the metric", () => {
  const known = finding({ id: "new", shows: ["path_length", "update_ratio", "gradient_norm"] });
  assert.equal(fittingMetric(known, GROUPS)?.metric.name, "update_ratio");
  assert.equal(fittingMetric(finding({ id: "new" }), GROUPS), null);
  const before = {
    ...emptySelection(),
    group: "variables",
    metric: "gradient_norm",
    row: "b/kernel",
  };
  const next = showFinding(before, finding({ id: "new" }), GROUPS);
  assert.deepEqual([next.metric, next.row, next.step], ["gradient_norm", "b/kernel", 7]);
});

test("settling follows the first finding once, then leaves choices alone", () => {
  const data = {
    runs: [run("r", "critical")],
    pending: 0,
    findings: [
      finding({ id: "dead-relu", layers: ["b"], shows: ["activation_dead_fraction"] }),
      finding({ id: "y" }),
    ],
    groups: GROUPS,
  };
  const first = settle(emptySelection(), { ...data, findings: null, groups: null });
  assert.equal(first.run, "r");
  const settled = settle(first, data);
  assert.deepEqual([settled.finding, settled.metric], ["dead-relu", "activation_dead_fraction"]);
  const chosen = { ...settled, group: "variables", metric: "update_ratio", row: "a/bias" };
  assert.equal(settle(chosen, data), chosen, "unchanged, and the same object");
});

test("what is over is not what a run is opened with", () => {
  const over = finding({ id: "over", layers: ["b"], recovered_step: 9 });
  const data = { runs: [run("r", "info")], pending: 0, findings: [over], groups: GROUPS };
  const begun = { ...emptySelection(), run: "r" };
  assert.equal(settle(begun, data).finding, null);
  const asked = settle({ ...begun, finding: "over" }, data);
  assert.deepEqual([asked.finding, asked.row], ["over", "b/kernel"], "a link may ask for it");
  const standing = finding({ id: "standing" });
  assert.equal(settle(begun, { ...data, findings: [over, standing] }).finding, "standing");
});

test("settling never keeps what the data do not have", () => {
  const stale = {
    ...emptySelection(),
    run: "gone",
    group: "nope",
    metric: "nope",
    row: "nope",
    auto: false,
  };
  const data = { runs: [run("r", "healthy")], pending: 0, findings: [], groups: GROUPS };
  const moved = settle(stale, data);
  assert.equal(moved.run, "r");
  const settled = settle({ ...stale, run: "r" }, data);
  assert.deepEqual(
    [settled.group, settled.metric, settled.row],
    ["variables", "gradient_norm", "a/bias"],
  );
});

test("without runs, and without layers, settling holds still", () => {
  const data = { runs: [], pending: 0, findings: null, groups: null };
  assert.equal(settle(emptySelection(), data).run, null);
  const held = { ...emptySelection(), run: "r" };
  assert.equal(
    settle(held, { runs: [run("r", "healthy")], pending: 0, findings: [], groups: [] }).run,
    "r",
  );
});

test("while runs are being examined a worse one takes over, unless one was chosen by hand", () => {
  const rest = { findings: null, groups: null };
  const early = settle(emptySelection(), {
    runs: [run("a", "pending"), run("b", "healthy")],
    pending: 1,
    ...rest,
  });
  assert.deepEqual([early.run, early.provisional], ["a", true]);
  const worse = [run("a", "healthy"), run("b", "healthy"), run("c", "critical")];
  const late = settle(early, { runs: worse, pending: 0, ...rest });
  assert.deepEqual([late.run, late.provisional], ["c", false]);
  const other = [run("a", "healthy"), run("b", "pending"), run("c", "pending")];
  assert.equal(
    settle(early, { runs: other, pending: 2, ...rest }).run,
    "a",
    "nothing is worse yet",
  );
  const byHand = { ...early, provisional: false };
  assert.equal(settle(byHand, { runs: worse, pending: 0, ...rest }).run, "a");
});

test("another run is looked at from its own first finding, or as before when chosen by hand", () => {
  const followed = { ...emptySelection(), run: "a", finding: "f", row: "x", auto: false };
  assert.deepEqual([selectRun(followed, "b").auto, selectRun(followed, "b").row], [true, null]);
  const byHand = { ...emptySelection(), run: "a", row: "x", metric: "m", auto: false };
  assert.deepEqual([selectRun(byHand, "b").auto, selectRun(byHand, "b").row], [false, "x"]);
  assert.equal(selectRun(byHand, "a"), byHand);
});

test("a link comes back as it was, whatever the names", () => {
  for (const name of [
    "mlp/a",
    "a&b=c#d",
    "p.convergence.run=x",
    "日本 🦜",
    "\u202e",
    "100%",
    "a\u00012",
  ]) {
    const selection = {
      ...emptySelection(),
      run: name,
      row: name,
      metric: "m",
      group: "g",
      step: 12,
      auto: false,
    };
    const view = {
      ...DEFAULT_VIEW,
      filter: name,
      smoothing: 0,
      log: false,
      order: /** @type {const} */ ("worst"),
    };
    const hash = writeLink("#convergence", selection, view, DEFAULT_VIEW);
    assert.ok(hash.startsWith("#convergence&"));
    const back = readLink(hash);
    assert.deepEqual(back.selection, { run: name, group: "g", metric: "m", row: name, step: 12 });
    assert.deepEqual(back.view, { order: "worst", smoothing: 0, filter: name, log: false });
  }
});

test("a link leaves the parts of others alone, and defaults out", () => {
  const hash = writeLink(
    "#convergence&runFilter=x&p.convergence.run=old",
    { ...emptySelection(), run: "r" },
    DEFAULT_VIEW,
    DEFAULT_VIEW,
  );
  assert.equal(hash, "#convergence&runFilter=x&p.convergence.run=r");
});

test("a damaged link gives what is left of it", () => {
  const { selection, view } = readLink(
    "#convergence&p.convergence.run=%E0%A4%A&p.convergence.step=-4&p.convergence.x=nope" +
      "&p.convergence.smoothing=7&p.convergence.metric=m&p.convergence.__proto__=x",
  );
  assert.deepEqual(selection, { metric: "m" });
  assert.deepEqual(view, {});
  assert.deepEqual(readLink(""), { selection: {}, view: {} });
  assert.deepEqual(readLink(`#p.convergence.run=${"x".repeat(9999)}`).selection, {});
});

test("half a character does not break the link", () => {
  const hash = writeLink(
    "#convergence",
    { ...emptySelection(), run: "\ud800x" },
    DEFAULT_VIEW,
    DEFAULT_VIEW,
  );
  assert.equal(readLink(hash).selection.run, "\ufffdx");
});

test("a link that says where to look is followed; one that names only the run is led", () => {
  assert.equal(initialState({ selection: { run: "r" }, view: {} }).selection.auto, true);
  assert.equal(initialState({ selection: { run: "r", step: 3 }, view: {} }).selection.auto, false);
  assert.equal(initialState({ selection: { row: "x" }, view: {} }).selection.auto, false);
});

test("symptoms stand beneath the cause that explains them, through any depth", () => {
  const all = [
    finding({ id: "cause" }),
    finding({ id: "alone" }),
    finding({ id: "s1", explained_by: "cause" }),
    finding({ id: "s2", explained_by: "s1" }),
    finding({ id: "orphan", explained_by: "not-here" }),
  ];
  const { heads, explained } = tree(all);
  assert.deepEqual(
    heads.map((one) => one.id),
    ["cause", "alone", "orphan"],
  );
  assert.deepEqual(
    explained.get("cause")?.map((one) => one.id),
    ["s1", "s2"],
  );
});

test("findings that explain each other in a circle are all shown", () => {
  const all = [finding({ id: "a", explained_by: "b" }), finding({ id: "b", explained_by: "a" })];
  assert.deepEqual(
    tree(all).heads.map((one) => one.id),
    ["a", "b"],
  );
});

test("flags: what is listed first-hand, and what is selected", () => {
  const all = [
    finding({ id: "cause" }),
    finding({ id: "s1", explained_by: "cause", first_step: 9 }),
  ];
  const placement = /** @type {any} */ ({
    fromStep: (/** @type {number} */ step) => (step < 9 ? step : Number.NaN),
  });
  assert.deepEqual(
    flagsOf(all, null, placement).map((one) => one.id),
    ["cause"],
  );
  assert.deepEqual(
    flagsOf(all, "s1", placement).map((one) => one.id),
    ["cause"],
    "no place, no flag",
  );
  assert.equal(flagsOf(all, "cause", placement)[0].selected, true);
});

test("what is said of a layer is said of its weights, of its bias where that is named", () => {
  const rows = GROUPS[0].rows;
  const named = (/** @type {any} */ part) => rowsOf(finding(part), rows).map((at) => rows[at].name);
  assert.deepEqual(named({ layers: ["a"] }), ["a/kernel"]);
  assert.deepEqual(named({ layers: ["a", "a/bias"] }), ["a/bias", "a/kernel"]);
  assert.deepEqual(named({ layers: ["a"], evidence: [{ layer: "a", kind: "bias" }] }), [
    "a/bias",
    "a/kernel",
  ]);
  const lone = [{ ...rows[0], layer: "c", name: "c/bias" }];
  assert.deepEqual(rowsOf(finding({ layers: ["c"] }), lone), [0], "a layer of a bias alone");
});

test("a row wears the selected finding, else the worst of what is found in it", () => {
  const rows = GROUPS[0].rows;
  const mild = finding({ severity: "info", layers: ["a", "a/bias"], title: "Mild" });
  const grave = finding({ severity: "critical", layers: ["a/kernel"], title: "Grave" });
  const marked = (/** @type {any} */ selected) => [...rowMarks([mild, grave], rows, selected)];
  assert.deepEqual(marked(null), [
    [0, { own: false, verdict: "info", title: "Another finding: Mild" }],
    [
      1,
      { own: false, verdict: "critical", title: "Another finding: Mild\nAnother finding: Grave" },
    ],
  ]);
  assert.deepEqual(marked(mild), [
    [0, { own: true, verdict: "info", title: "Mild" }],
    [1, { own: true, verdict: "info", title: "Mild\nAnother finding: Grave" }],
  ]);
});

test("only the selected finding's rows are its own; heads and what it explains have a ring", () => {
  const rows = GROUPS[0].rows;
  const layers = ["a", "a/bias"];
  const cause = finding({ id: "cause", severity: "warning", layers, title: "Cause" });
  const symptom = finding({
    id: "symptom",
    severity: "critical",
    layers: ["a/kernel", "b"],
    title: "Symptom",
    explained_by: "cause",
  });
  const over = finding({ id: "over", layers: ["b"], recovered_step: 9 });
  const all = [cause, symptom, over];
  const own = rowMarks(all, rows, cause);
  assert.deepEqual(
    [...own],
    [
      [0, { own: true, verdict: "warning", title: "Cause" }],
      [1, { own: true, verdict: "warning", title: "Cause\nExplained by it: Symptom" }],
      [2, { own: false, verdict: "critical", title: "Explained by it: Symptom" }],
    ],
  );
  const other = rowMarks(all, rows, symptom);
  assert.deepEqual(other.get(0), {
    own: false,
    verdict: "warning",
    title: "Another finding: Cause",
  });
  assert.equal(other.get(1)?.own, true);
  const past = rowMarks(all, rows, over);
  assert.deepEqual(past.get(2), { own: true, verdict: "healthy", title: "X" }, "over: as its card");
  const none = rowMarks(all, rows, null);
  assert.deepEqual([...none.keys()], [0, 1], "neither what is explained nor what is over");
});

test("a finding opens a metric that its layer has", () => {
  const metric = (/** @type {string} */ name) => ({ name, title: name });
  const names = ["batch_std", "zero_fraction", "saturated_fraction"];
  const metrics = names.map((name) => metric(`activation_${name}`));
  const opened = (/** @type {string[]} */ activations) => {
    const rows = activations.map((activation, at) => ({ ...row(`d${at}`, "output"), activation }));
    const shows = ["zero_fraction", "saturated_fraction", "batch_std"].map(
      (n) => `activation_${n}`,
    );
    const accused = finding({ layers: [`d${rows.length - 1}`], shows });
    const groups = /** @type {any} */ ([{ group: "activations", rows, metrics }]);
    return fittingMetric(accused, groups)?.metric.name;
  };
  assert.equal(opened(["sigmoid", "softmax"]), "activation_batch_std");
  assert.equal(opened(["sigmoid", "relu"]), "activation_zero_fraction");
  assert.equal(opened(["relu", "tanh"]), "activation_saturated_fraction");
});

test("a layer without a row opens that of the finding it explains", () => {
  const variables = { ...GROUPS[0], metrics: [metric("gradient_zero_fraction")] };
  const cut = finding({
    id: "over-regularization",
    layers: ["dropout_1"],
    shows: ["gradient_zero_fraction"],
  });
  const zero = finding({ id: "zero-gradient", layers: ["b"], explained_by: "over-regularization" });
  const next = showFinding(emptySelection(), cut, [variables], [zero]);
  assert.deepEqual([next.metric, next.row], ["gradient_zero_fraction", "b/kernel"]);
});

test("a finding about the output that names no layer opens the last one", () => {
  const outputs = { ...GROUPS[1], metrics: [metric("activation_batch_std")] };
  const opened = (/** @type {string | null} */ kind) => {
    const found = finding({ shows: ["activation_batch_std"], evidence: [{ kind }] });
    return showFinding(emptySelection(), found, [GROUPS[0], outputs]).row;
  };
  assert.equal(opened("prediction"), "b");
  assert.equal(opened(null), null);
});

test("a finding about the data opens the row of its kind", () => {
  const rows = [row("input[0]", "input", "input"), row("target[0]", "target", "target")];
  const metrics = [metric("feature_std"), metric("feature_max")];
  const groups = /** @type {any} */ ([...GROUPS, { group: "inputs", rows, metrics }]);
  const found = finding({
    layers: ["dense"],
    shows: ["feature_max"],
    evidence: [{ kind: "target" }],
  });
  const { group, metric: name, row: key } = showFinding(emptySelection(), found, groups);
  assert.deepEqual([group, name, key], ["inputs", "feature_max", "target[0]"]);
  // Where no data were recorded, nothing else stands in for them.
  assert.equal(fittingMetric(found, GROUPS), null);
});

test("memo recomputes only when something changed", () => {
  let count = 0;
  const twice = memo((/** @type {number} */ value) => {
    count += 1;
    return { value: value * 2 };
  });
  assert.equal(twice(2), twice(2));
  assert.equal(twice(Number.NaN), twice(Number.NaN));
  assert.equal(count, 2);
});
