/** The landscape view's arithmetic: scale, contour, surface, words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bandsOf, Frame } from "../src/landscape/contour.js";
import { endOf, lossBetween, nearestIndex, sliceOf, valueAt } from "../src/landscape/grid.js";
import { colorIndex, heightOf, scaleOf } from "../src/landscape/scale.js";
import { bounded, FIRST_TURN, facesOf, projection } from "../src/landscape/surface.js";
import { comparison, difference, rowsOf, spreadText } from "../src/landscape/words.js";

const axis = Array.from({ length: 21 }, (_, at) => -1 + at / 10);
const plane = (loss, path = null) => ({
  seed: 0,
  labels: ["a", "b"],
  explained: [],
  x: axis,
  y: axis,
  values: { loss: axis.flatMap((x) => axis.map((y) => loss(x, y))) },
  evaluated: 441,
  statistics: {},
  path,
});
const bowl = plane((x, y) => Math.exp(x * x + 2 * y * y));

test("levels lie between the extremes, ascending, and are shared by all planes", () => {
  const scale = scaleOf([bowl, plane(() => 0.1)]);
  assert.equal(scale.low, 0.1);
  for (const [at, level] of scale.levels.entries()) {
    assert.ok(level > scale.low && level < scale.high);
    if (at) assert.ok(level > scale.levels[at - 1]);
  }
  assert.equal(scaleOf([plane(() => null)]), null);
  assert.ok(scaleOf([plane(() => 2.3)]).high > 2.3, "a plateau has a scale too");
});

test("heights and colors grow with the loss, and end at the scale", () => {
  const scale = scaleOf([bowl]);
  const losses = [0, 1, 1.5, 4, 1e9, null];
  const heights = losses.map((loss) => heightOf(loss, scale));
  assert.deepEqual(
    heights,
    [...heights].sort((a, b) => a - b),
  );
  assert.equal(heights[0], 0);
  assert.equal(heights.at(-1), 1);
  const colors = losses.map((loss) => colorIndex(loss, scale));
  assert.deepEqual(
    colors,
    [...colors].sort((a, b) => a - b),
  );
});

test("values are found at their coordinates, and between them", () => {
  const slope = plane((x, y) => 3 * x + y + 10);
  assert.equal(valueAt(slope, { i: 20, j: 0 }), 3 - 1 + 10);
  assert.ok(Math.abs(lossBetween(slope, 0.33, -0.77) - (0.99 - 0.77 + 10)) < 1e-9);
  assert.equal(lossBetween(slope, 1.5, 0), null);
  assert.equal(
    lossBetween(
      plane(() => null),
      0,
      0,
    ),
    null,
  );
  assert.deepEqual(endOf(slope), { i: 10, j: 10 });
  assert.equal(nearestIndex(axis, -5), 0);
  assert.equal(nearestIndex(axis, 5), 20);
  assert.deepEqual(sliceOf(slope, 1).loss[0], 9);
  assert.deepEqual(sliceOf(slope, 0).loss[0], 7);
});

test("contours of a bowl are ellipses about its middle", () => {
  const [polygons] = bandsOf(bowl, [Math.exp(0.5)]);
  const rings = polygons.flat();
  const hole = rings.at(-1);
  for (const [a, b] of hole) {
    const [x, y] = [a / 10 - 1, b / 10 - 1];
    if (Math.abs(x) > 0.95 || Math.abs(y) > 0.95) continue;
    assert.ok(Math.abs(x * x + 2 * y * y - 0.5) < 0.02, `${x}, ${y}`);
  }
});

test("a loss that is not finite lies above every level", () => {
  const hole = plane((x, y) => (x > 0.5 ? null : 1 + x * x + y * y));
  const polygons = bandsOf(hole, [50])[0].flat();
  assert.equal(polygons.length, 1);
  assert.ok(polygons[0].every(([a]) => a > 14));
});

test("direction 1 points right and direction 2 upwards", () => {
  const frame = new Frame(bowl, 200, 100);
  assert.deepEqual(frame.pixel(-1, -1), [0, 100]);
  assert.deepEqual(frame.pixel(1, 1), [200, 0]);
  assert.deepEqual(frame.parts(200, 0), { x: 1, y: 1 });
});

test("faces are drawn from back to front, whichever way the surface is turned", () => {
  const scale = scaleOf([bowl]);
  for (const yaw of [-3, -0.6, 0, 1.2, 3]) {
    const faces = facesOf(bowl, projection({ yaw, pitch: 0.6, zoom: 1 }, 300, 300), scale);
    assert.equal(faces.length, 400);
    for (let at = 1; at < faces.length; at += 1) assert.ok(faces[at].depth >= faces[at - 1].depth);
    for (const { corners } of faces) {
      for (const [left, top] of corners)
        assert.ok(left > -1 && left < 301 && top > -1 && top < 301);
    }
  }
});

test("higher losses are higher on the canvas, seen from the side", () => {
  const project = projection({ ...FIRST_TURN, pitch: 0.1 }, 300, 300);
  assert.ok(project(0, 0, 1)[1] < project(0, 0, 0)[1]);
});

test("a surface cannot be turned upside down or zoomed away", () => {
  const far = bounded({ yaw: 100, pitch: 9, zoom: 1000 });
  assert.ok(Math.abs(far.yaw) <= Math.PI);
  assert.ok(far.pitch <= Math.PI / 2);
  assert.ok(far.zoom <= 4);
  assert.ok(bounded({ yaw: 0, pitch: -4, zoom: 0 }).zoom >= 0.5);
});

const spread = (mean, deviation = 0.01) => ({ mean, deviation, values: [] });
const landscape = (basin, sharp) => ({
  statistics: { basin_share: spread(basin), nonconvex_share: spread(0.3) },
  sharpness: { largest: spread(sharp, 1) },
});

test("differences are claimed only beyond their spread", () => {
  assert.equal(difference(spread(0.5), spread(0.51)), 0);
  assert.ok(difference(spread(0.5), spread(0.1)) > 0);
  assert.equal(difference(spread(0.5, null), spread(0.1, null)), 0);
  const [a, b] = [
    { run: "skip", landscape: landscape(0.5, 10) },
    { run: "plain", landscape: landscape(0.1, 40) },
  ];
  const said = comparison(a, b);
  assert.match(said, /The minimum of plain is 4 times sharper than that of skip/);
  assert.match(said, /Skip’s basin is larger: 50% against 10%/);
  assert.doesNotMatch(said, /convex/);
  assert.match(comparison(a, a), /No statistic differs/);
});

test("statistics have their spread and say what is only a bound", () => {
  const rows = rowsOf(
    {
      statistics: {
        basin_share: spread(0.412, 0.02),
        width: spread(2),
        width_is_bound: spread(0.5),
        roughness: { mean: null, deviation: null, values: [] },
        finite_share: spread(1, 0),
      },
    },
    { basin_share: { title: "Basin share", share: true }, width: { title: "Width", share: false } },
  );
  assert.deepEqual(
    rows.map((row) => [row.title, row.value, row.part]),
    [
      ["Basin share", "41.2% ± 2%", 0.412],
      ["Width", "≥ 2 ± 0.01", null],
    ],
  );
  assert.equal(spreadText(spread(0.5, null), true), "50%");
});
