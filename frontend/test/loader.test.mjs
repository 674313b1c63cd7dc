/** Fetching: one reply a slot, the newest wish wins, a refresh keeps what is shown. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, address, createApi } from "../src/data/api.js";
import { createLoader } from "../src/data/loader.js";
import { wanted } from "../src/data/wanted.js";
import { initialState } from "../src/state/state.js";
import { heatBytes } from "./heat_bytes.mjs";

const SIGNAL = new AbortController().signal;
const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

function recorded() {
  /** @type {Map<string, any>} */
  const slots = new Map();
  /** @type {string[]} */
  const seen = [];
  const loader = createLoader((name, slot) => {
    slots.set(name, slot);
    seen.push(`${slot.key}:${slot.status}`);
  });
  return { loader, slots, seen };
}

test("a wish is loaded once, however often it is stated", async () => {
  const { loader, slots, seen } = recorded();
  let fetched = 0;
  const fetchReply = async () => (fetched += 1);
  for (let times = 0; times < 3; times += 1) loader.want("runs", "a", fetchReply);
  await soon();
  assert.equal(fetched, 1);
  assert.equal(slots.get("runs").data, 1);
  assert.deepEqual(seen, ["a:loading", "a:ready"]);
});

test("a newer wish wins, even when the older reply comes later", async () => {
  const { loader, slots } = recorded();
  let release = (/** @type {string} */ _value) => {};
  const aborted = [];
  loader.want("layer", "old", (signal) => {
    signal.addEventListener("abort", () => aborted.push("old"));
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  loader.want("layer", "new", async () => "new reply");
  await soon();
  release("old reply");
  await soon();
  assert.equal(slots.get("layer").data, "new reply");
  assert.deepEqual(aborted, ["old"]);
});

test("what was seen is shown again at once; what is unknown leaves the former in view", async () => {
  const { loader, slots, seen } = recorded();
  loader.want("heat", "a", async () => "A");
  await soon();
  loader.want("heat", "b", async () => "B");
  assert.deepEqual([slots.get("heat").data, slots.get("heat").previous], [null, "A"]);
  await soon();
  loader.want("heat", "a", async () => assert.fail("it is known"));
  assert.equal(slots.get("heat").data, "A");
  assert.equal(seen.at(-1), "a:ready");
});

test("a refresh keeps what is shown until the new reply is here, also when it fails", async () => {
  const { loader, slots, seen } = recorded();
  loader.want("runs", "a", async () => 1);
  await soon();
  loader.again("runs", async () => 2);
  assert.equal(slots.get("runs").data, 1);
  await soon();
  assert.equal(slots.get("runs").data, 2);
  loader.again("runs", async () => {
    throw new ApiError("gone", "server");
  });
  await soon();
  assert.equal(slots.get("runs").data, 2);
  assert.equal(slots.get("runs").error.message, "gone");
  assert.ok(!seen.slice(2).includes("a:loading"), "no flicker");
});

test("after a failure trying again shows that it tries", async () => {
  const { loader, slots, seen } = recorded();
  loader.want("runs", "a", async () => {
    throw new ApiError("gone", "network");
  });
  await soon();
  assert.equal(slots.get("runs").status, "error");
  loader.again("runs", async () => 3);
  assert.equal(slots.get("runs").status, "loading");
  await soon();
  assert.deepEqual([slots.get("runs").data, slots.get("runs").error], [3, null]);
  assert.equal(seen.at(-1), "a:ready");
});

test("after a reload replies are asked for anew", async () => {
  const { loader, slots } = recorded();
  loader.want("heat", "a", async () => "A1");
  await soon();
  loader.want("heat", "b", async () => "B1");
  await soon();
  loader.forget();
  loader.want("heat", "a", async () => "A2");
  await soon();
  assert.equal(slots.get("heat").data, "A2");
});

/** @param {(url: string) => any} answer */
function apiWith(answer) {
  return createApi(/** @type {any} */ (async (/** @type {string} */ url) => answer(url)));
}
const reply = (/** @type {any} */ body, status = 200) =>
  new Response(JSON.stringify(body), { status });

test("addresses are relative and escape every name", () => {
  assert.equal(address("runs", {}), "runs");
  const url = address("layer", { run: "a b&c=/../é#?", row: 3 });
  assert.ok(!url.startsWith("/") && !url.includes("://"));
  assert.equal(new URL(url, "http://x/y/").searchParams.get("run"), "a b&c=/../é#?");
});

test("pages of runs and of rows are joined", async () => {
  const asked = [];
  const api = apiWith((url) => {
    asked.push(url);
    const second = url.includes("offset=2");
    if (url.startsWith("runs")) {
      return reply({
        schema: 1,
        pending: second ? 1 : 2, // of this page
        next_offset: second ? null : 2,
        runs: second ? ["c"] : ["a", "b"],
      });
    }
    const rows = second ? [{ name: "c" }] : [{ name: "a" }, { name: "b" }];
    return reply({
      schema: 1,
      next_offset: second ? null : 2,
      groups: [{ group: "variables", rows }],
    });
  });
  const runs = await api.runs(SIGNAL);
  assert.deepEqual([runs.runs, runs.pending], [["a", "b", "c"], 3]);
  const layers = await api.layers("r", SIGNAL);
  assert.deepEqual(
    layers.groups[0].rows.map((row) => row.name),
    ["a", "b", "c"],
  );
  assert.equal(asked.length, 4);
});

/** @param {() => Promise<unknown>} act @param {string} reason @param {RegExp} message */
async function fails(act, reason, message) {
  await assert.rejects(act, (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    return true;
  });
}

test("failures say what happened", async () => {
  const error = (/** @type {string} */ message) => ({ schema: 1, error: { message } });
  await fails(
    () => apiWith(() => reply(error("Unknown run 'x'."), 404)).findings("x", SIGNAL),
    "missing",
    /Unknown run/,
  );
  await fails(
    () => apiWith(() => reply(error("bad"), 400)).findings("x", SIGNAL),
    "refused",
    /bad/,
  );
  await fails(
    () => apiWith(() => new Response("<html>", { status: 502 })).runs(SIGNAL),
    "busy",
    /502/,
  );
  await fails(
    () => apiWith(() => new Response("<html>", { status: 500 })).runs(SIGNAL),
    "server",
    /500/,
  );
  await fails(
    () => apiWith(() => new Response("<html>")).runs(SIGNAL),
    "damaged",
    /could not be read/,
  );
  await fails(() => apiWith(() => reply({ schema: 2 })).runs(SIGNAL), "schema", /version 2/);
  await fails(() => apiWith(() => reply(null)).runs(SIGNAL), "schema", /unknown/);
  await fails(
    () =>
      apiWith(() => {
        throw new TypeError("fetch failed");
      }).runs(SIGNAL),
    "network",
    /does not answer/,
  );
});

test("heat maps are decoded, and damaged ones refused", async () => {
  const good = heatBytes({ values: [[1, 2]] });
  const heat = await apiWith(() => new Response(good)).heatmap("r", "g", "m", SIGNAL);
  assert.deepEqual([...heat.values], [1, 2]);
  await fails(
    () => apiWith(() => new Response(good.slice(0, 9))).heatmap("r", "g", "m", SIGNAL),
    "damaged",
    /heat map/,
  );
  const newer = heatBytes({ values: [[1]], header: { schema: 3 } });
  await fails(
    () => apiWith(() => new Response(newer)).heatmap("r", "g", "m", SIGNAL),
    "schema",
    /version 3/,
  );
});

test("nothing is asked about a run that cannot be read; maps wait for rows", () => {
  const state = initialState({
    selection: { run: "r", group: "g", metric: "m", row: "x" },
    view: {},
  });
  const api = /** @type {any} */ ({});
  const keys = (/** @type {any} */ slots) =>
    Object.entries(wanted({ ...state, slots: { ...state.slots, ...slots } }, api))
      .filter(([, { key }]) => key)
      .map(([name]) => name);
  const runs = (/** @type {string | null} */ error) => ({
    runs: { data: { runs: [{ run: "r", error }] } },
  });
  assert.deepEqual(keys({}), ["runs"]);
  assert.deepEqual(keys(runs("damaged")), ["runs"]);
  assert.deepEqual(keys(runs(null)), ["runs", "findings", "series", "layers"]);
  const layers = { data: { groups: [{ group: "g", rows: [{ name: "x" }], metrics: [] }] } };
  assert.deepEqual(keys({ ...runs(null), layers }), [
    "runs",
    "findings",
    "series",
    "layers",
    "heat",
    "layer",
  ]);
});

test("further profiles and what belongs to a layer are asked for where they are shown", () => {
  const metrics = [{ name: "gradient_norm" }, { name: "update_ratio" }];
  const rows = [{ name: "d/kernel", layer: "d", kind: "kernel" }];
  const groups = [
    { group: "variables", rows, metrics },
    {
      group: "activations",
      rows: [{ ...rows[0], name: "d" }],
      metrics: [{ name: "activation_std" }],
    },
  ];
  const slots = {
    runs: { data: { runs: [{ run: "r", error: null }] } },
    layers: { data: { groups } },
  };
  /** @type {any[]} */
  const asked = [];
  const api = /** @type {any} */ ({
    heatmap: (/** @type {any[]} */ ...given) => asked.push(given.slice(0, 3).join(" ")),
  });
  const wishes = (/** @type {"layer" | "profile"} */ tab) => {
    const selection = { run: "r", group: "variables", metric: "gradient_norm", row: "d/kernel" };
    const state = initialState({ selection, view: { tab } });
    return wanted(/** @type {any} */ ({ ...state, slots: { ...state.slots, ...slots } }), api);
  };
  assert.equal(wishes("layer").profiles.key, "");
  assert.equal(wishes("layer").counterpart.key, JSON.stringify(["r", "activations", 0, ""]));
  assert.equal(wishes("layer").histogram.key, JSON.stringify(["r", "variables", 0, ""]));
  const { profiles, histogram, counterpart } = wishes("profile");
  assert.equal(histogram.key + counterpart.key, "");
  profiles.fetchReply(new AbortController().signal);
  assert.deepEqual(asked, ["r variables update_ratio", "r activations activation_std"]);
});
