/** What is open, and what the curves suggest. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openGroups, suspicions } from "../src/model/coverage.js";
import { drawnAt } from "../src/state/evidence.js";
import { emptySelection } from "../src/state/selection.js";
import { targetOf } from "../src/state/target.js";

/** @param {string} id @param {string[]} needs */
const check = (id, ...needs) => ({ id, needs });

test("open checks are grouped by what they need, the largest group first", () => {
  const groups = openGroups([
    check("a", "gradient_norm"),
    check("b", "gradient_norm", "config"),
    check("c", "validation_loss or epoch_loss"),
    check("d", "config"),
    check("e", "20 records of loss (has 2)"),
    check("f", "a fix: this rule failed, see the log"),
    check("g", "feature_mean", "gradient_norm"),
  ]);
  assert.deepEqual(groups[0], { need: "gradients", ids: ["a", "b"] });
  assert.deepEqual(Object.fromEntries(groups.map(({ need, ids }) => [need, ids])), {
    gradients: ["a", "b"],
    validation: ["c"],
    config: ["d"],
    records: ["e"],
    other: ["f"],
    inputs: ["g"],
  });
});

/** @param {string} name @param {(number | null)[]} values */
const series = (name, values) =>
  /** @type {any} */ ({
    name,
    values,
    steps: values.map((_value, index) => 10 * index),
    nonfinite: values.flatMap((value, index) => (value === null ? [[index, "NaN"]] : [])),
  });
const falling = Array.from({ length: 50 }, (_, index) => 2.3 * Math.exp(-index / 10));
const OPEN = [
  "overfitting",
  "learning-rate-too-low",
  "learning-rate-too-high",
  "non-finite-values",
  "dead-relu",
];

test("curves that fall suggest nothing", () => {
  assert.deepEqual(suspicions([series("loss", falling)], OPEN), []);
  assert.deepEqual(suspicions([], OPEN), []);
});

test("a validation loss that turns suggests overfitting, where that is open", () => {
  const turned = [2, 1.5, 1, 1.2, 1.5, 2, 3];
  const curves = [series("loss", falling), series("validation_loss", turned)];
  const [found, ...rest] = suspicions(curves, OPEN);
  assert.deepEqual(found.ids, ["overfitting"]);
  assert.equal(found.said, "The validation loss rises from 1 at step 20 to 3.");
  assert.deepEqual(rest, []);
  assert.deepEqual(suspicions(curves, ["dead-relu"]), []);
});

test("a loss that stays, rises, or is lost suggests what could be the cause", () => {
  const flat = falling.map(() => 2.3);
  assert.deepEqual(suspicions([series("loss", flat)], OPEN)[0].ids, [
    "learning-rate-too-low",
    "dead-relu",
  ]);
  const rising = falling.map((_value, index) => 1 + index / 10);
  assert.deepEqual(suspicions([series("loss", rising)], OPEN)[0].ids, ["learning-rate-too-high"]);
  const lost = suspicions([series("loss", [1, 2, 3, null, null])], OPEN)[0];
  assert.equal(lost.said, "The loss is not finite from step 30 on.");
  const twice = suspicions([series("loss", [1, null, 2, 3, 4, null])], OPEN)[0];
  assert.equal(twice.said, "The loss is not finite from step 50 on.", "it came back in between");
  const epochs = { ...series("epoch_loss", [1, 2, 3, null]), axis: "epoch" };
  assert.equal(suspicions([epochs], OPEN)[0].said, "The loss is not finite from epoch 30 on.");
  assert.deepEqual(lost.ids, ["non-finite-values", "learning-rate-too-high"]);
});

test("a finding begins in the layer that its evidence names for its first step", () => {
  const row = (/** @type {string} */ layer, /** @type {string} */ kind) => ({
    name: `${layer}/${kind}`,
    layer,
    kind,
  });
  const rows = [row("dense", "kernel"), row("dense_3", "bias"), row("dense_3", "kernel")];
  const groups = /** @type {any} */ ([
    { group: "variables", rows, metrics: [{ name: "update_ratio" }] },
  ]);
  const finding = /** @type {any} */ ({
    id: "learning-rate-too-high",
    title: "",
    summary: "",
    first_step: 9,
    layers: ["dense", "dense_3"],
    explained_by: null,
    evidence: [
      { name: "update ratio", statistic: "update_ratio", step: 38, layer: "dense" },
      { name: "update ratio", statistic: "update_ratio", step: 9, layer: "dense_3" },
    ],
  });
  const selection = { ...emptySelection(), run: "r", group: "variables", metric: "update_ratio" };
  assert.deepEqual(targetOf(finding, selection, groups, [finding]), { layer: "dense_3", step: 9 });
  const whole = { ...finding, layers: [], evidence: [] };
  assert.deepEqual(targetOf(whole, selection, groups, [whole]), { layer: null, step: 9 });
});

test("every piece of evidence has a place where it is drawn", () => {
  const groups = /** @type {any} */ ([
    { group: "variables", rows: [], metrics: [{ name: "update_ratio" }, { name: "loss" }] },
    { group: "inputs", rows: [], metrics: [{ name: "feature_rms" }] },
  ]);
  const finding = /** @type {any} */ ({ shows: ["feature_rms"], layers: [] });
  const curves = new Set(["loss", "gradient_global_norm"]);
  const at = (/** @type {any} */ evidence) => drawnAt(evidence, finding, groups, curves);
  assert.equal(at({ statistic: "update_ratio" })?.metric?.name, "update_ratio");
  assert.equal(at({ statistic: "fastest_ratio", of: ["update_ratio"] })?.group?.group, "variables");
  assert.equal(at({ statistic: "loss_fall", of: ["loss"] })?.view, "curves");
  assert.equal(at({ statistic: "growth", of: ["gradient_global_norm"] })?.chart, "norms");
  assert.equal(at({ statistic: "unknown" })?.metric?.name, "feature_rms", "what the finding shows");
  const nothing = drawnAt(/** @type {any} */ ({ statistic: "x" }), finding, [], new Set());
  assert.equal(nothing, null);
});
