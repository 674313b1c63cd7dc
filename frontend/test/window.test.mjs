/** What of the x axis is in view, and how a person moves it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dragged, keyed, within } from "../src/charts/overview.js";
import { edgesOn } from "../src/model/axis.js";
import { spansOf } from "../src/model/time.js";
import { inView, windowAround, zoomOn } from "../src/model/window.js";
import { stacked } from "../src/views/legend.js";

const every2 = Array.from({ length: 129 }, (_, index) => 2 * index);

test("around an onset before the loss is lost: as far back as forward, and a fifth beyond", () => {
  assert.deepEqual(windowAround(9, every2, 40, [0, 257]), { window: [0, 48], lost: true });
  const late = windowAround(200, every2, 230, [0, 257]);
  assert.deepEqual(late?.window, [170, 242]);
  assert.equal(late?.lost, false, "most of this run is finite");
});

test("around an onset in a run that stays finite: a part of it to both sides", () => {
  const found = windowAround(
    5000,
    Array.from({ length: 1001 }, (_, at) => 10 * at),
    null,
    [0, 10000],
  );
  assert.deepEqual(found, { window: [3800, 6200], lost: false });
});

test("no stretch of its own where it would be nearly all", () => {
  assert.equal(windowAround(100, every2, 250, [0, 257]), null);
  assert.equal(windowAround(0, [0, 1, 2], null, [0, 2]), null);
});

test("a run that is mostly lost opens around the onset, any other whole; all is all", () => {
  const [whole, onset] = /** @type {const} */ ([
    [0, 257],
    [0, 48],
  ]);
  const view = (
    /** @type {any} */ zoom,
    /** @type {boolean} */ lost,
    /** @type {any} */ around = onset,
  ) => inView(zoom, [...whole], around && [...around], lost);
  assert.deepEqual(view(null, true), onset);
  assert.deepEqual(view(null, false), whole);
  assert.deepEqual(view("all", true), whole);
  assert.deepEqual(view("onset", false), onset);
  assert.deepEqual(view("onset", false, null), whole);
  assert.deepEqual(view([10, 20], true), [10, 20]);
  assert.deepEqual(view([1e9, 2e9], false), whole, "a stretch of another axis shows nothing");
});

test("a window moves, widens, and stays within what there is", () => {
  const held = { at: 30, extent: /** @type {[number, number]} */ ([20, 40]) };
  const drag = (/** @type {any} */ part, /** @type {number} */ x) =>
    dragged({ part, ...held }, x, [0, 100], 0.01);
  assert.deepEqual(drag("all", 35), [25, 45]);
  assert.deepEqual(drag("all", -500), [0, 20]);
  assert.deepEqual(drag("all", 500), [80, 100]);
  assert.deepEqual(drag("from", 5), [5, 40]);
  assert.ok(/** @type {any} */ (drag("from", 90))[0] < 40, "never turned inside out");
  assert.deepEqual(drag("to", 70), [20, 70]);
  assert.deepEqual(drag("new", 60), [30, 60]);
  assert.equal(drag("new", 30.5), null, "a click is no window");
  assert.deepEqual(within(-5, 300, 0, 100), [0, 100]);
});

test("keys move and zoom the window", () => {
  const at = (/** @type {string} */ key) => keyed(key, { extent: [20, 40], whole: [0, 100] });
  assert.deepEqual(at("ArrowRight"), [25, 45]);
  assert.deepEqual(at("PageUp"), [0, 20]);
  assert.deepEqual(at("End"), [80, 100]);
  assert.deepEqual(at("+"), [25, 35]);
  assert.deepEqual(at("-"), [10, 50]);
  assert.deepEqual(at("0"), [0, 100]);
  assert.equal(at("a"), null);
});

const series = /** @type {any} */ ([
  {
    name: "loss",
    axis: "step",
    steps: [0, 10, 20, 30, 40],
    values: [1, 2, null, null, null],
    wall_times: [100, 110, 140, 150, 160],
    nonfinite: [
      [2, "NaN"],
      [3, "NaN"],
      [4, "NaN"],
    ],
  },
]);
const steps = /** @type {any} */ ({
  full: (/** @type {number} */ x) => `step ${x}`,
  toStep: (/** @type {number} */ x) => x,
});

test("who follows the run sees its newest quarter, wherever that is", () => {
  assert.deepEqual(inView("newest", [0, 100], [10, 20], true), [75, 100]);
  assert.deepEqual(inView("newest", [0, 400], null, false), [300, 400]);
  assert.deepEqual(
    inView([10, 20], [0, 400], null, false),
    [10, 20],
    "a stretch chosen by hand stays",
  );
});

test("a zoom keeps its stretch from one axis to another", () => {
  assert.deepEqual(zoomOn([10, 20], series, steps, "wall"), [110, 140]);
  assert.deepEqual(zoomOn([10, 20], series, steps, "relative"), [10, 40]);
  assert.equal(zoomOn("onset", series, steps, "wall"), "onset");
  assert.equal(zoomOn([10, 20], [], steps, "wall"), null, "without a clock there is no such place");
});

test("a stretch of NaN is one span, with its first step in words", () => {
  const placement = /** @type {any} */ ({ x: new Map([["loss", series[0].steps]]) });
  assert.deepEqual(spansOf(series, placement, [], steps), [
    { from: 20, to: Infinity, label: "NaN from step 20", line: "loss" },
  ]);
  assert.deepEqual(spansOf(series, placement, ["loss"], steps), [], "not of what is hidden");
  const once = [{ ...series[0], nonfinite: [[2, "NaN"]] }];
  assert.deepEqual(
    spansOf(once, placement, [], steps),
    [],
    "a single one is marked, not a stretch",
  );
});

test("cells keep their order on an axis of time, and the last one has a width", () => {
  const clock = (/** @type {number} */ step) => 100 + Math.min(step, 30) * 2;
  const edges = edgesOn(Float64Array.of(0, 10, 20, 30, 40), { fromStep: clock });
  assert.deepEqual([...edges], [100, 120, 140, 160, 180]);
});

test("names stand where their curves end, pushed apart, all within the chart", () => {
  const items = [0, 5, 90, Infinity].map((wanted) => ({ height: 20, wanted }));
  assert.deepEqual(stacked(items, 0, 200), [0, 22, 90, 112]);
  const crowded = [170, 175, 180].map((wanted) => ({ height: 20, wanted }));
  const tops = stacked(crowded, 0, 200);
  assert.ok(tops.every((top, at) => at === 0 || top >= tops[at - 1] + 20));
  assert.ok(tops[2] + 20 <= 200);
});
