/** Runs beside each other: which they are, how rows are paired, how differences are said and colored. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { between, packed, shades } from "../src/charts/color_scale.js";
import { colorRange, positionIn, sharedRange } from "../src/charts/ranges.js";
import { pairsOf, partnerOf } from "../src/data/pairs.js";
import { formatDifference } from "../src/format/numbers.js";
import { colorOf, placesOf } from "../src/model/beside.js";
import {
  createDifferenceModel,
  differenceRange,
  differenceReadout,
} from "../src/model/difference.js";
import { overlaid } from "../src/model/overlaid.js";
import { overlayKey, overlayLines, placedOverlays } from "../src/model/overlays.js";
import {
  afterSelecting,
  broughtForward,
  comparedRuns,
  comparedWith,
  MOST_COMPARED,
  missingRuns,
  toggled,
} from "../src/state/compared.js";
import { movesOn, readLink, writeLink } from "../src/state/link.js";
import { emptySelection, settle } from "../src/state/selection.js";
import { DEFAULT_VIEW } from "../src/state/state.js";
import { nextChip } from "../src/views/run_keys.js";
import { drawnRuns, MOST_CHIPS } from "../src/views/runs.js";

const run = (/** @type {string} */ name, severity = "healthy", error = null) =>
  /** @type {any} */ ({ run: name, severity, error });
const runs = (/** @type {string[]} */ ...names) => names.map((name) => run(name));
const names = (/** @type {any[]} */ found) => found.map((one) => one.run);

const LOG = /** @type {any} */ ({ name: "norm", title: "Norm", unit: "", scale: "log10" });
const FRACTION = /** @type {any} */ ({
  name: "dead_fraction",
  title: "Dead",
  unit: "1",
  scale: "linear",
});

/** @param {number[][]} values @param {number[][]} codes */
function heat(values, codes, scale = "log10") {
  const cells = values[0].length;
  const steps = Array.from({ length: cells }, (_, index) => index * 10);
  const finite = values.flat().filter((value, at) => !codes.flat()[at] && Number.isFinite(value));
  return /** @type {any} */ ({
    header: {
      scale,
      first_steps: steps,
      last_steps: steps,
      minimum: finite.length ? Math.min(...finite) : null,
      maximum: finite.length ? Math.max(...finite) : null,
    },
    rows: values.length,
    cells,
    edges: Float64Array.from([...steps, cells * 10]),
    values: Float32Array.from(values.flat()),
    codes: Uint8Array.from(codes.flat()),
  });
}

test("runs are added and taken away; the last one is compared in detail", () => {
  assert.deepEqual(toggled(["a"], "b"), ["a", "b"]);
  assert.deepEqual(toggled(["a", "b"], "a"), ["b"]);
  const many = Array.from({ length: MOST_COMPARED }, (_, index) => `${index}`);
  assert.deepEqual(toggled(many, "new"), [...many.slice(1), "new"]);
  assert.deepEqual(comparedWith(["a", "b"], "c"), ["a", "c"]);
  assert.deepEqual(comparedWith(["a", "b"], "a"), ["a"]);
  assert.deepEqual(comparedWith(["a", "b"], null), []);
  assert.deepEqual(broughtForward(["a", "b"], "a"), ["b", "a"]);
});

test("a compared run that is selected changes places with the one before", () => {
  assert.deepEqual(afterSelecting(["x", "b"], "a", "b"), ["x", "a"]);
  assert.deepEqual(afterSelecting(["b"], null, "b"), []);
  const same = ["x"];
  assert.equal(afterSelecting(same, "a", "b"), same);
});

test("only runs that are there, readable and shown are compared; the others are told or kept", () => {
  const all = [...runs("a", "b", "c"), run("bad", "unknown", /** @type {any} */ ("damaged"))];
  const view = { ...DEFAULT_VIEW, compared: ["gone", "bad", "a", "b", "c"], hiddenRuns: ["b"] };
  assert.deepEqual(names(comparedRuns(view, all, "a")), ["c"]);
  assert.deepEqual(missingRuns("lost", view.compared, all), ["lost", "gone"]);
  assert.deepEqual(missingRuns(null, ["a"], all), []);
});

test("runs in one chart have colors of their own, the selected one its usual", () => {
  const all = runs(...Array.from({ length: 9 }, (_, index) => `r${index}`));
  const color = colorOf(placesOf(all, null), [all[7], all[8]], "r0", "light");
  const usual = colorOf(placesOf(all, null), [], null, "light");
  assert.equal(color("r0"), usual("r0"));
  assert.equal(usual("r7"), usual("r0"), "TensorBoard's colors come round again");
  assert.equal(new Set(["r0", "r7", "r8"].map(color)).size, 3);
});

test("rows without a partner are named, those of another comparison are not taken", () => {
  const reply = /** @type {any} */ ({
    run: "a",
    with: "b",
    groups: [{ group: "g", paired_by: "name", partners: [null, 0, 2] }],
  });
  const group = /** @type {any} */ ({
    group: "g",
    rows: ["x", "y", "z"].map((name) => ({ name })),
  });
  const other = /** @type {any} */ ({
    group: "g",
    rows: ["y", "n", "z"].map((name) => ({ name })),
  });
  const { paired, by, onlyHere, onlyThere } = pairsOf(reply, group, other);
  assert.deepEqual([paired, by], [2, "name"]);
  assert.deepEqual([onlyHere[0].name, onlyThere[0].name], ["x", "n"]);
  assert.equal(pairsOf(reply, group, null).onlyThere.length, 0);
  assert.equal(partnerOf(reply, "a", "b", "g", 2), 2);
  assert.equal(partnerOf(reply, "a", "b", "g", 0), null);
  assert.equal(partnerOf(reply, "a", "c", "g", 2), null);
  assert.equal(partnerOf(reply, "a", "b", "other", 0), null);
});

test("differences in words", () => {
  assert.equal(formatDifference(2, LOG), "×100");
  assert.equal(formatDifference(-1, LOG), "÷10");
  assert.equal(formatDifference(0, LOG), "equal");
  assert.equal(formatDifference(Infinity, LOG), "from 0");
  assert.equal(formatDifference(-Infinity, LOG), "to 0");
  assert.equal(formatDifference(0.25, FRACTION), "+25%");
  assert.equal(formatDifference(-0.5, { ...FRACTION, name: "mean", unit: "" }), "-0.5");
});

test("colors are centered at equal, and an exact 0 is beyond either end", () => {
  const map = heat([[-1, 4, Infinity]], [[0, 0, 0]]);
  const range = differenceRange(map, LOG);
  assert.deepEqual([range.low, range.high], [-4, 4]);
  assert.equal(positionIn(range)(0), 0.5);
  assert.deepEqual([positionIn(range)(Infinity), positionIn(range)(-Infinity)], [1, 0]);
  const quiet = differenceRange(heat([[0.01, -0.02]], [[0, 0]]), LOG);
  assert.deepEqual([quiet.low, quiet.high], [-1, 1], "noise does not fill the scale");
  const empty = differenceRange(heat([[Number.NaN]], [[1]], "linear"), FRACTION);
  assert.deepEqual([empty.low, empty.high], [-0.1, 0.1]);
});

test("the diverging scale goes through its stops", () => {
  const stops = /** @type {[number, number, number][]} */ ([
    [0, 0, 200],
    [100, 100, 100],
    [200, 0, 0],
  ]);
  assert.deepEqual(between(stops, 0), [0, 0, 200]);
  assert.deepEqual(between(stops, 0.25), [50, 50, 150]);
  assert.deepEqual(between(stops, 9), [200, 0, 0]);
  const table = shades(stops);
  assert.equal(table.length, 256);
  assert.equal(table[0], packed([0, 0, 200]));
  assert.equal(table[255], packed([200, 0, 0]));
});

test("two maps share one range", () => {
  const [a, b] = [heat([[1, 10]], [[0, 0]]), heat([[0.001, 5]], [[0, 0]])];
  const [ofA, ofB] = [colorRange(a, LOG), colorRange(b, LOG)];
  const alone = sharedRange(a, ofA, null);
  const both = sharedRange(a, ofA, ofB);
  assert.ok(both.low < alone.low);
  assert.equal(both.high, alone.high);
  const turned = sharedRange(b, ofB, ofA);
  assert.deepEqual([turned.low, turned.high], [both.low, both.high]);
});

test("the map of differences shows rows that have a partner, the largest difference first", () => {
  const map = heat(
    [
      [0.1, 0.2],
      [Number.NaN, Number.NaN],
      [-3, 1],
      [2, Number.NaN],
    ],
    [
      [0, 0],
      [1, 1],
      [0, 0],
      [0, 2],
    ],
  );
  const rows = ["a", "b", "c", "d"].map((name) => ({ name }));
  const make = createDifferenceModel();
  const of = /** @type {any} */ ({
    heat: map,
    group: { group: "g", rows },
    metric: LOG,
    partners: [0, null, 1, 2],
    other: "run",
    order: "worst",
    filter: "",
    room: { each: 20, most: 400 },
    rest: {},
  });
  const model = make(of);
  assert.deepEqual(model.props.order, [3, 2, 0]);
  assert.deepEqual(model.codes, { nan: true, infinite: false, none: false, free: false });
  assert.deepEqual(
    model.worst.map((one) => [one.name, one.value]),
    [
      ["d", "NaN in one"],
      ["c", "÷1,000"],
      ["a", "×1.58"],
    ],
  );
  assert.equal(make(of).props.order, model.props.order, "unchanged, and the same object");
  assert.deepEqual(make({ ...of, order: "depth", filter: "c|d" }).props.order, [2, 3]);
  const say = (/** @type {number} */ row, /** @type {number} */ cell) =>
    differenceReadout(map, /** @type {any} */ (rows), LOG, "run", { row, cell });
  assert.equal(say(2, 0), "c · step 0 · Norm: ÷1,000 in run");
  assert.equal(say(3, 1), "d · step 10 · NaN in one of the runs");
  assert.equal(say(1, 0), "b · step 0 · no data in one of the runs");
});

const series = (/** @type {string} */ name, axis = "step") =>
  /** @type {any} */ ({
    name,
    axis,
    steps: [0, 1],
    values: [2, 1],
    wall_times: [10, 20],
    nonfinite: [],
  });

test("curves of other runs: in their color, on the same axis, switched off as one", () => {
  const overlays = [
    { run: "b", reply: { series: [series("loss"), series("learning_rate")] }, error: null },
    { run: "c", reply: { series: [series("epoch_loss", "epoch")] }, error: null },
    { run: "d", reply: null, error: "unreadable" },
  ];
  const placed = placedOverlays(/** @type {any} */ (overlays), "loss", "step", false);
  assert.deepEqual(
    placed.map((one) => one.picked.map((each) => each.name)),
    [["loss"], [], []],
  );
  assert.match(placed[1].error ?? "", /another axis/);
  assert.equal(placed[2].error, "unreadable");
  const palette = /** @type {any} */ ({ series: ["s"] });
  const draw = (/** @type {string[]} */ hidden) =>
    overlayLines(placed, { ...DEFAULT_VIEW, hidden }, false, (name) => `color of ${name}`, palette);
  assert.deepEqual(
    draw([]).map((line) => [line.color, line.y]),
    [["color of b", [2, 1]]],
  );
  assert.deepEqual(draw([overlayKey("b")]), []);
  assert.deepEqual(draw(["loss"]), [], "a curve switched off is so for all runs");
});

const column = (/** @type {string} */ name, /** @type {(number | null)[]} */ low) =>
  /** @type {any} */ ({
    name,
    title: name,
    symbol: "",
    unit: "",
    scale: "linear",
    healthy: null,
    low,
    high: null,
    nonfinite: [],
  });

test("a row's charts hold both runs; what is the same constant in both needs none", () => {
  const here = {
    steps: [0, 1],
    columns: [column("a", [1, 2]), column("b", [5, 5]), column("c", [3, 3])],
  };
  const there = {
    steps: [0, 9],
    columns: [column("a", [7, 8]), column("b", [5, 5]), column("c", [4, 4])],
  };
  const both = overlaid(/** @type {any} */ (here), /** @type {any} */ (there), "own", "other");
  assert.deepEqual(
    both.charts.map((chart) => chart.id),
    ["a", "c"],
  );
  assert.deepEqual(
    both.lines[0].map((line) => [line.color, line.x, line.y]),
    [
      ["other", [0, 9], [7, 8]],
      ["own", [0, 1], [1, 2]],
    ],
  );
  assert.deepEqual(
    both.constant.map((one) => one.column.name),
    ["b"],
  );
});

test("the whole state goes through a link", () => {
  const view = /** @type {any} */ ({
    ...DEFAULT_VIEW,
    compared: ['a"b', "日本&=#"],
    hiddenRuns: ["x", ""],
    runFilter: "f",
    page: "runs",
    runState: "sick",
    runGroups: "folder",
    runSort: "onset",
    runSortDown: true,
    x: "wall",
    smoothing: 0,
    log: false,
    chart: "norms",
    hidden: ["loss", "\u0001r"],
    zoom: [1.5, 20],
    map: "difference",
    order: "worst",
    filter: "q",
    tab: "profile",
  });
  const hash = writeLink("", { ...emptySelection(), run: "r" }, view, DEFAULT_VIEW);
  assert.deepEqual({ ...DEFAULT_VIEW, ...readLink(hash).view }, view);
  const broken = readLink(
    "#p.convergence.with=[1]&p.convergence.hide={}&p.convergence.zoom=5,1&p.convergence.map=x" +
      "&p.convergence.state=constructor&p.convergence.series=[",
  );
  assert.deepEqual(broken.view, {});
});

test("a link stays short enough to send, whatever is hidden", () => {
  const hiddenRuns = Array.from({ length: 3000 }, (_, index) => `a/long/name/of/a/run/${index}`);
  const view = { ...DEFAULT_VIEW, hiddenRuns };
  const back = readLink(writeLink("", { ...emptySelection(), run: "r" }, view, DEFAULT_VIEW)).view;
  assert.ok(back.hiddenRuns && back.hiddenRuns.length > 500 && back.hiddenRuns.length < 3000);
});

test("a new place is what one looks at, not how", () => {
  const of = (/** @type {any} */ selection, view = {}) =>
    writeLink(
      "",
      { ...emptySelection(), ...selection },
      { ...DEFAULT_VIEW, ...view },
      DEFAULT_VIEW,
    );
  const at = of({ run: "a", step: 1 });
  assert.equal(movesOn(at, of({ run: "a", step: 2 }, { smoothing: 0.1, filter: "x" })), false);
  assert.equal(movesOn(at, of({ run: "b", step: 1 })), true);
  assert.equal(movesOn(at, of({ run: "a" }, { compared: ["b"] })), true);
  assert.equal(movesOn(at, of({ run: "a", row: "x" })), true);
});

test("a run that a link names and that is not there gives way, and comes back", () => {
  const rest = { pending: 0, findings: null, groups: null };
  const asked = { ...emptySelection(), run: "lost", metric: "m", row: "x", step: 5, auto: false };
  const other = settle(asked, { ...rest, runs: runs("a") });
  assert.deepEqual(
    [other.run, other.missing, other.metric, other.row, other.step],
    ["a", "lost", "m", "x", 5],
  );
  assert.match(writeLink("", other, DEFAULT_VIEW, DEFAULT_VIEW), /run=lost&/);
  assert.equal(settle(other, { ...rest, runs: runs("a") }), other);
  const back = settle(other, { ...rest, runs: runs("a", "lost") });
  assert.deepEqual([back.run, back.missing, back.step], ["lost", null, 5]);
});

test("a hidden run is not shown first", () => {
  const all = [run("a", "critical"), run("b", "healthy")];
  const data = { runs: all, pending: 0, findings: null, groups: null };
  assert.equal(settle(emptySelection(), { ...data, hidden: ["a"] }).run, "b");
  assert.equal(settle(emptySelection(), { ...data, hidden: ["a", "b"] }).run, "a");
});

test("runs have TensorBoard's colors: by their place in its list, a folded run by its name", () => {
  const all = /** @type {any} */ ([
    { run: "a", source_runs: ["a", "a/train"] },
    { run: "b", source_runs: ["b/train", "b/validation"] },
    { run: "new", source_runs: ["new"] },
  ]);
  const host = ["b/validation", "b/train", "x", "a/train", "a"];
  assert.deepEqual([...placesOf(all, host).values()], [4, 1, 2]);
  assert.deepEqual([...placesOf(all, null).values()], [0, 1, 2]);
});

test("the strip draws the first runs, and what is looked at wherever it stands", () => {
  const many = runs(...Array.from({ length: 500 }, (_, index) => `r${index}`));
  assert.equal(drawnRuns(many, new Set()).length, MOST_CHIPS);
  const drawn = drawnRuns(many, new Set(["r400", "r2", "gone"]));
  assert.equal(drawn.length, MOST_CHIPS + 1);
  assert.equal(drawn.at(-1)?.run, "r400");
});

test("keys lead along a row of chips, and up and down where there are several", () => {
  const row = [0, 1, 2].map((left) => ({ left, top: 0 }));
  assert.deepEqual(
    ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End", "a"].map((key) =>
      nextChip(key, 1, row),
    ),
    [2, 0, 2, 0, 0, 2, -1],
  );
  assert.equal(nextChip("ArrowRight", 2, row), 2);
  const grid = [...row, { left: 0, top: 9 }, { left: 1, top: 9 }];
  assert.equal(nextChip("ArrowDown", 1, grid), 4);
  assert.equal(nextChip("ArrowDown", 2, grid), 4, "the nearest beneath");
  assert.equal(nextChip("ArrowUp", 3, grid), 0);
  assert.equal(nextChip("ArrowDown", 4, grid), 4, "the last row holds");
});
