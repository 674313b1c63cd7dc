/** What a browser keeps of how a person looks at charts; which series a chart shows. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, padded } from "../src/charts/line_scales.js";
import { chosenSeries, curves, hasMetrics } from "../src/data/curves.js";
import { keepSettings, readSettings } from "../src/host/settings.js";
import { readLink, writeLink } from "../src/state/link.js";
import { emptySelection } from "../src/state/selection.js";
import { DEFAULT_VIEW } from "../src/state/state.js";

const shelf = () => {
  /** @type {Map<string, string>} */
  const held = new Map();
  return {
    getItem: (/** @type {string} */ key) => held.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void held.set(key, value),
  };
};

test("what is kept comes back; what is not a setting is not kept", () => {
  const storage = shelf();
  const view = {
    ...DEFAULT_VIEW,
    smoothing: 0.2,
    x: /** @type {const} */ ("wall"),
    pinned: ["metric/accuracy"],
    filter: "dense",
    zoom: /** @type {[number, number]} */ ([1, 2]),
  };
  keepSettings(storage, view);
  const { smoothing, x, pinned, ...rest } = readSettings(storage);
  assert.deepEqual([smoothing, x, pinned], [0.2, "wall", ["metric/accuracy"]]);
  assert.ok(!("filter" in rest) && !("zoom" in rest));
});

for (const stored of [
  "{",
  "null",
  '{"smoothing": 7, "x": "sideways", "pinned": [1], "shade": {}}',
  `{"order": "${"x".repeat(20_000)}"}`,
]) {
  test(`storage that holds ${stored.slice(0, 30)} sets nothing`, () => {
    assert.deepEqual(readSettings({ getItem: () => stored }), {});
  });
}

test("a browser that stores nothing is no error", () => {
  assert.deepEqual(readSettings(null), {});
  const full = () => {
    throw new Error("full");
  };
  keepSettings({ setItem: full }, DEFAULT_VIEW);
  assert.deepEqual(readSettings({ getItem: full }), {});
});

/** @param {string} name @param {number[]} values */
const series = (name, values) =>
  /** @type {any} */ ({
    name,
    title: name,
    axis: "step",
    steps: values.map((_, at) => at),
    values,
    nonfinite: [],
  });
const all = [
  series("loss", [4, 3, 2]),
  series("learning_rate", [0.1, 0.1, 0.2]),
  series("metric/accuracy", [0.5, 0.6, 0.9]),
  series("validation_metric/accuracy", [0.4, 0.5, 0.5]),
];
const names = (/** @type {any[]} */ of) => of.map(({ name }) => name);

test("metrics are a chart of their own, and stand beside the loss when pinned", () => {
  assert.ok(hasMetrics(all));
  assert.deepEqual(names(chosenSeries(all, "metrics")), [
    "metric/accuracy",
    "validation_metric/accuracy",
  ]);
  assert.deepEqual(names(chosenSeries(all, "loss", ["metric/accuracy", "loss", "gone"])), [
    "loss",
    "learning_rate",
    "metric/accuracy",
  ]);
});

test("a pinned series is drawn over the right scale and read in its own numbers", () => {
  const chosen = chosenSeries(all, "loss", ["metric/accuracy"]);
  const x = new Map(all.map((one) => [one.name, one.steps]));
  const view = { smoothing: 0, hidden: [], chart: /** @type {const} */ ("loss") };
  const palette = /** @type {any} */ ({ series: ["a", "b", "c"], soft: "s" });
  const lines = curves(
    chosen,
    /** @type {any} */ ({ x }),
    view,
    false,
    { run: "r", partner: "p" },
    palette,
  );
  const pinned = lines.find(({ id }) => id === "metric/accuracy");
  assert.equal(pinned?.scale, "right");
  assert.deepEqual(pinned?.read, [0.5, 0.6, 0.9]);
  assert.equal(
    Math.max(...(pinned?.y ?? []).map(Number)),
    0.2,
    "as high as the first of the scale",
  );
  assert.equal(lines.find(({ id }) => id === "loss")?.scale, undefined);
});

test("a trimmed scale leaves out one far point, and nothing where there is none", () => {
  const x = Array.from({ length: 200 }, (_, at) => at);
  const frame = (/** @type {number[]} */ y, trimmed = true) =>
    frameOf(
      /** @type {any} */ ({
        lines: [{ id: "a", x, y, bad: [] }],
        extent: [0, 199],
        gutter: { left: 0, right: 0 },
        log: false,
        trimmed,
      }),
      400,
      200,
    ).y;
  const calm = x.map((at) => 1 + Math.sin(at) / 4);
  const spiked = calm.map((value, at) => (at === 50 ? 1e6 : value));
  assert.ok(frame(spiked)[1] < 2);
  assert.ok(frame(spiked, false)[1] > 1e5);
  assert.deepEqual(frame(calm), padded(Math.min(...calm), Math.max(...calm), false));
});

test("how charts are looked at is part of the link", () => {
  const view = {
    ...DEFAULT_VIEW,
    zoom: /** @type {const} */ ("onset"),
    pinned: ["metric/a b"],
    outliers: true,
    full: /** @type {const} */ ("map"),
    chart: /** @type {const} */ ("metrics"),
    shade: /** @type {const} */ ("value"),
    order: /** @type {const} */ ("crossing"),
  };
  const link = writeLink("", { ...emptySelection(), run: "r" }, view, DEFAULT_VIEW);
  const { zoom, pinned, outliers, full, chart, shade, order } = readLink(link).view;
  assert.deepEqual(
    [zoom, pinned, outliers, full, chart, shade, order],
    ["onset", ["metric/a b"], true, "map", "metrics", "value", "crossing"],
  );
});
