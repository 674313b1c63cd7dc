import assert from "node:assert/strict";
import { test } from "node:test";
import { emptySlot } from "../src/data/loader.js";
import { inTurn } from "../src/state/turns.js";

const NAMES = ["runs", "findings", "series", "layers", "heat", "layer", "distribution", "profiles"];
const loading = (key) => ({ ...emptySlot(), key, status: "loading" });
const ready = (key, data = { of: key }) => ({ ...emptySlot(), key, status: "ready", data });
const slots = (make) => Object.fromEntries(NAMES.map((name) => [name, make(name)]));
/** What is drawn, frame after frame, until nothing waits. */
function frames(now, drawn) {
  const shown = [];
  for (let turn = inTurn(now, drawn); ; turn = inTurn(now, drawn)) {
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
    ["series", "layer", "distribution", "profiles"],
  ]);
});

test("curves wait for the findings, and for a map that came meanwhile", () => {
  const begun = slots(loading);
  const first = { ...begun, findings: ready("findings"), series: ready("series") };
  const one = inTurn(first, begun);
  assert.equal(one.slots.findings, first.findings);
  assert.equal(one.slots.series, begun.series);
  assert.ok(one.waiting);
  const second = { ...first, heat: ready("heat"), layer: ready("layer") };
  const two = inTurn(second, one.slots);
  assert.equal(two.slots.heat, second.heat);
  assert.equal(two.slots.series, begun.series);
  assert.equal(two.slots.layer, begun.layer);
  assert.equal(two.beneath, begun.heat);
  const three = inTurn(second, two.slots);
  assert.equal(three.slots.series, second.series);
  assert.equal(three.slots.layer, second.layer);
  assert.equal(three.beneath, second.heat);
  assert.ok(!three.waiting);
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
  const { slots: shown } = inTurn(changed, drawn);
  for (const name of NAMES) assert.equal(shown[name], changed[name]);
});
