import assert from "node:assert/strict";
import { test } from "node:test";
import { emptySlot } from "../src/data/loader.js";
import { inRenderOrder } from "../src/state/render_order.js";

const NAMES = ["runs", "findings", "series", "layers", "heat", "layer", "histogram", "profiles"];
const loading = (key) => ({ ...emptySlot(), key, status: "loading" });
const ready = (key, data = { of: key }) => ({ ...emptySlot(), key, status: "ready", data });
const slots = (make) => Object.fromEntries(NAMES.map((name) => [name, make(name)]));
/** What is drawn, frame after frame, until nothing waits. */
function frames(now, drawn) {
  const shown = [];
  for (let turn = inRenderOrder(now, drawn, true); ; turn = inRenderOrder(now, drawn, true)) {
    shown.push(NAMES.filter((name) => turn.slots[name] !== drawn[name]));
    drawn = turn.slots;
    if (!turn.waiting) return shown;
    assert.ok(shown.length < 9, "something waits for ever");
  }
}

test("all replies at once are drawn in turn, the findings' frame with what costs little", () => {
  const found = frames(slots(ready), slots(loading));
  assert.deepEqual(found, [
    ["runs", "findings", "layers", "heat"],
    ["series", "layer", "histogram", "profiles"],
  ]);
});

test("curves wait for the findings, and for a map that is on its way", () => {
  const begun = slots(loading);
  const first = { ...begun, findings: ready("findings"), series: ready("series") };
  const one = inRenderOrder(first, begun, true);
  assert.equal(one.slots.findings, first.findings);
  assert.equal(one.slots.series, begun.series);
  assert.deepEqual([one.waiting, one.awaited], [false, true], "until the map is here");
  const still = inRenderOrder(first, one.slots, true);
  assert.equal(still.slots.series, begun.series);
  const second = { ...first, heat: ready("heat"), layer: ready("layer") };
  const two = inRenderOrder(second, one.slots, true);
  assert.equal(two.slots.heat, second.heat);
  assert.equal(two.slots.series, begun.series);
  assert.equal(two.slots.layer, begun.layer);
  assert.equal(two.beneath, begun.heat);
  assert.deepEqual([two.waiting, two.awaited], [true, false]);
  const three = inRenderOrder(second, two.slots, true);
  assert.equal(three.slots.series, second.series);
  assert.equal(three.slots.layer, second.layer);
  assert.equal(three.beneath, second.heat);
  assert.ok(!three.waiting);
});

test("a map that takes long, fails, or is not to come holds nothing up", () => {
  const begun = slots(loading);
  const first = { ...begun, findings: ready("findings"), series: ready("series") };
  const after = inRenderOrder(first, begun, true).slots;
  assert.equal(inRenderOrder(first, after, false).slots.series, first.series, "no longer patient");
  for (const heat of [emptySlot(), { ...emptySlot(), key: "heat", status: "error" }]) {
    const [shown, ...rest] = frames({ ...first, heat }, after);
    assert.deepEqual([shown, rest], [["series", "heat"], []]);
  }
});

test("another run's map, later, waits with its row of views and holds no curves", () => {
  const drawn = slots(ready);
  const asked = { ...drawn, heat: loading("heat of another"), layer: ready("another layer", {}) };
  assert.equal(inRenderOrder(asked, drawn, false).slots.layer, asked.layer);
});

test("a refresh renews curves with the findings, and another statistic its map first", () => {
  const drawn = slots(ready);
  const renewed = { ...drawn, findings: ready("findings", {}), series: ready("series", {}) };
  assert.deepEqual(frames(renewed, drawn), [["findings", "series"]]);
  const other = { ...drawn, heat: ready("heat", {}), profiles: ready("profiles", {}) };
  assert.deepEqual(frames(other, drawn), [["heat"], ["profiles"]]);
});

test("what was asked of another run is never left standing", () => {
  const drawn = slots(ready);
  const changed = slots((name) => ready(`${name} of another`, {}));
  const { slots: shown } = inRenderOrder(changed, drawn, false);
  for (const name of NAMES) assert.equal(shown[name], changed[name]);
});
