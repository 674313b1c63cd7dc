/** What a line chart draws, told by a canvas that writes down what it is asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeLabel } from "../src/charts/flags.js";
import { drawAxes, drawLines, pointsToShow } from "../src/charts/line_draw.js";
import { frameOf, yTicks } from "../src/charts/line_scales.js";

const props = (/** @type {any} */ over = {}) =>
  /** @type {any} */ ({
    lines: [],
    extent: [0, 100],
    gutter: { left: 50, right: 10 },
    log: false,
    range: [0, 1],
    palette: { card: "#fff" },
    ...over,
  });
const line = (/** @type {any} */ over) => ({ color: "#123456", bad: [], ...over });

/** A canvas context that records paths. */
function recorder() {
  /** @type {any[]} */
  const calls = [];
  const context = new Proxy(/** @type {any} */ ({}), {
    get: (target, name) =>
      name in target
        ? target[name]
        : (/** @type {any[]} */ ...given) => calls.push([name, ...given]),
    set: (target, name, value) => {
      target[name] = value;
      return true;
    },
  });
  return { context, calls };
}

test("places and values are found again", () => {
  const frame = frameOf(props(), 360, 134);
  assert.deepEqual(frame.plot, { left: 50, top: 10, width: 300, height: 100 });
  assert.equal(frame.toX(0), 50);
  assert.equal(frame.toX(100), 350);
  assert.equal(frame.fromX(frame.toX(37)), 37);
  assert.equal(frame.toY(0), 110);
  assert.equal(frame.toY(1), 10);
});

test("scales hold what is in view, and only that", () => {
  const wide = line({ x: [0, 50, 200], y: [1, 2, 1e6] });
  const { y } = frameOf(props({ lines: [wide], range: null }), 360, 134);
  assert.ok(y[1] > 2 && y[1] < 3);
  const logged = frameOf(props({ lines: [wide], range: null, log: true }), 360, 134);
  assert.ok(logged.y[0] > 0.5 && logged.y[0] < 1);
  assert.equal(Math.round(logged.toY(Math.sqrt(logged.y[0] * logged.y[1]))), 60);
  const band = frameOf(
    props({ lines: [line({ x: [0], y: [1], high: [9] })], range: null }),
    360,
    134,
  );
  assert.ok(band.y[1] > 9, "the upper end of an interval is in view");
  const right = line({ x: [0, 1], y: [0.1, 0.2], scale: "right" });
  const both = frameOf(props({ lines: [wide, right], range: null }), 360, 134);
  assert.ok(both.y[1] < 3 && both.right && both.right[1] > 0.2 && both.right[1] < 0.3);
  for (const nothing of [
    frameOf(props({ range: null }), 360, 134),
    frameOf(props({ range: null, log: true }), 1, 1),
  ]) {
    assert.ok(nothing.y[1] > nothing.y[0] && nothing.plot.width >= 1);
  }
  assert.ok(yTicks(props(), frameOf(props(), 360, 134)).length >= 2);
});

test("a gap is no line, and what stands alone is a point", () => {
  const { context, calls } = recorder();
  const one = line({ x: [0, 10, 20, 30, 40], y: [0, 1, null, 1, null] });
  const given = props({ lines: [one] });
  drawLines(context, frameOf(given, 360, 134), given);
  assert.deepEqual(
    calls.filter(([name]) => name === "moveTo" || name === "lineTo").map(([name, x]) => [name, x]),
    [
      ["moveTo", 50],
      ["lineTo", 80],
      ["moveTo", 140],
    ],
  );
  assert.equal(calls.filter(([name]) => name === "arc").length, 1);
  const wide = (/** @type {number} */ at) => 10 * at;
  assert.deepEqual(pointsToShow([1, null, 2, 3, null, 4], false, wide), [0, 5]);
  assert.deepEqual(pointsToShow([1, null, 2], true, wide), [0, 2]);
  assert.deepEqual(pointsToShow([], true, wide), []);
  const narrow = (/** @type {number} */ at) => at;
  assert.deepEqual(pointsToShow([1, 1, null, 2, 2, 2, 2], false, narrow), [0, 1], "a line of 1 px");
});

test("points at the edge are drawn whole, those out of view not at all", () => {
  const { context, calls } = recorder();
  const given = props({ lines: [line({ x: [-50, 0, 100, 150], y: [0, 1, 1, 0], dots: true })] });
  drawLines(context, frameOf(given, 360, 134), given);
  const unclipped = calls.slice(calls.findIndex(([name]) => name === "restore"));
  assert.deepEqual(
    unclipped.filter(([name]) => name === "arc").map(([, x]) => x),
    [50, 350],
  );
});

test("an interval is filled, stretch by stretch", () => {
  const { context, calls } = recorder();
  const low = [0.1, 0.1, null, 0.2, 0.2];
  const one = line({ x: [0, 10, 20, 30, 40], y: low, high: [0.2, 0.3, 0.4, null, 0.9] });
  const given = props({ lines: [one] });
  drawLines(context, frameOf(given, 360, 134), given);
  assert.equal(calls.filter(([name]) => name === "fill").length >= 2, true);
});

test("ten thousand points cost few strokes, and a spike among them is drawn", () => {
  const count = 10_000;
  const x = Array.from({ length: count }, (_, at) => at);
  const y = x.map((at) => (at === 4_567 ? 1 : 0.1 + 0.001 * (at % 7)));
  const { context, calls } = recorder();
  const given = props({ lines: [line({ x, y })], extent: [0, count] });
  const frame = frameOf(given, 360, 134);
  drawLines(context, frame, given);
  const path = calls.filter(([name]) => name === "moveTo" || name === "lineTo");
  assert.ok(path.length < 5 * frame.plot.width, `${path.length}`);
  assert.equal(Math.min(...path.map(([, , top]) => top)), frame.toY(1));
  const before = frame.toX(4_567);
  const spike = path.find(([, , top]) => top === frame.toY(1));
  assert.ok(Math.abs(spike[1] - before) <= 1);
});

test("labels of findings have a strip above the plot, and stand beside their line", () => {
  const given = props();
  const [bare, under] = [frameOf(given, 360, 134), frameOf(given, 360, 134, 40)];
  assert.equal(under.plot.top, bare.plot.top + 40);
  assert.equal(under.plot.height, bare.plot.height - 40);
  assert.equal(under.toX(20), bare.toX(20));

  const first = placeLabel(0, 250, 740, []);
  assert.deepEqual(first, { left: 3, right: 253, line: 0, lane: 0 });
  assert.ok(first);
  const same = placeLabel(0, 150, 740, [first]);
  assert.deepEqual(same, { left: 259, right: 409, line: 0, lane: 0 }, "beside, of the same step");
  const other = placeLabel(100, 150, 740, [first]);
  assert.deepEqual(other, { left: 103, right: 253, line: 100, lane: 1 }, "never beside another's");
  const late = placeLabel(700, 250, 740, [first]);
  assert.deepEqual(late, { left: 447, right: 697, line: 700, lane: 0 }, "to the left of its line");
  assert.deepEqual(placeLabel(100, 250, 200, []), { left: 103, right: 200, line: 100, lane: 0 });
  const full = [0, 1, 2].map((lane) => ({ left: 0, right: 740, line: 300, lane }));
  assert.equal(placeLabel(10, 50, 740, full), null);
});

test("without one finite value there are no numbers on the axis, but a sentence", () => {
  const words = (/** @type {any} */ over) => {
    const { context, calls } = recorder();
    context.canvas = { clientWidth: 360 };
    const plain = { measureText: () => ({ width: 10 }), formatX: String, kind: "count" };
    Object.assign(context, { measureText: plain.measureText });
    const given = props({
      ...plain,
      range: null,
      formatY: (/** @type {number} */ y) => `y${y}`,
      ...over,
    });
    drawAxes(context, frameOf(given, 360, 134), given);
    return calls.filter(([name]) => name === "fillText").map(([, text]) => text);
  };
  const nan = line({ x: [0, 9], y: [null, null], bad: [{ x: 9, kind: "NaN" }] });
  const none = words({ lines: [nan] });
  assert.ok(none.includes("No finite value"));
  assert.ok(!none.some((text) => text.startsWith("y")), `${none}`);
  const zero = { ...nan, bad: [{ x: 9, kind: "nonpositive" }] };
  assert.ok(words({ lines: [zero], log: true }).includes("No finite value above 0"));
  const known = words({ lines: [nan, line({ x: [0, 9], y: [1, 2] })] });
  assert.ok(!known.some((text) => text.startsWith("No ")));
  assert.ok(known.filter((text) => text.startsWith("y")).length >= 2);
  const fixed = words({ lines: [nan], range: [0, 1] });
  assert.ok(fixed.filter((text) => text.startsWith("y")).length >= 2, "a share has its scale");
  assert.ok(!words({ lines: [] }).some((text) => text.startsWith("No ")), "nothing is drawn");
});
