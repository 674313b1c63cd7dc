/**
 * How much of a run could be decided, what each open check waits for, and which open checks the curves
 * that are drawn make likely. Pure.
 *
 * @import { FindingsReply, Series } from "../types.js"
 */
import { formatNumber } from "../format/numbers.js";
import { formatStep, stepWord } from "../format/steps.js";

/**
 * @typedef {"loss" | "validation" | "gradients" | "inputs" | "activations" | "config" | "records" | "other"} Need
 *
 * @typedef {object} OpenGroup
 * @property {Need} need
 * @property {string[]} ids  Of the checks that wait for it.
 *
 * @typedef {object} Suspicion
 * @property {string} said  What the curve shows.
 * @property {string[]} ids  Open checks that it makes likely.
 */

/** Which of several unmet needs a check is listed under: the one that takes most effort first. */
/** @type {[Need, RegExp][]} */
const NEEDS = [
  ["records", /^\d+ records? of /],
  ["inputs", /^(feature|input|target|prediction|output|label|class)/],
  ["activations", /^activation/],
  ["gradients", /^(gradient|update|variable|global|clip|weight|optimizer)/],
  ["validation", /^(validation|epoch)/],
  ["config", /^config/],
  ["loss", /^(loss|window_loss|learning_rate)/],
];

/** @type {Readonly<Record<Need, string>>} */
export const NEED_WORD = {
  loss: "the loss",
  validation: "a validation loss or the loss of each epoch",
  gradients: "gradients and weights",
  inputs: "inputs, targets, and outputs",
  activations: "activations",
  config: "the model's configuration",
  records: "more records",
  other: "other data",
};

/**
 * Open checks by what they need, the largest group first.
 *
 * @param {FindingsReply["not_evaluated"]} open
 * @returns {OpenGroup[]}
 */
export function openGroups(open) {
  /** @type {Map<Need, string[]>} */
  const groups = new Map();
  for (const { id, needs } of open) {
    const need = needOf(needs);
    groups.set(need, [...(groups.get(need) ?? []), id]);
  }
  return [...groups]
    .map(([need, ids]) => ({ need, ids }))
    .sort((a, b) => b.ids.length - a.ids.length);
}

/**
 * @param {string[]} needs
 * @returns {Need}
 */
function needOf(needs) {
  const found = NEEDS.find(([, form]) => needs.some((need) => form.test(need)));
  return found?.[0] ?? "other";
}

/** The end of a curve is the mean of its last tenth; the beginning that of its first. */
const PART = 0.1;
/** A rise or a fall by less than this share of where it started is within the noise of batches. */
const CLEAR = 0.1;

/**
 * Open checks that the drawn curves make likely, with what they show. Nothing is claimed to be found:
 * the check itself needs more data.
 *
 * @param {Series[]} series
 * @param {string[]} open  Ids of open checks.
 * @returns {Suspicion[]}
 */
export function suspicions(series, open) {
  const loss = curveOf(series, "loss") ?? curveOf(series, "epoch_loss");
  const validation = curveOf(series, "validation_loss");
  /** @type {Suspicion[]} */
  const found = [];
  const add = (/** @type {string} */ said, /** @type {string[]} */ ids) => {
    const there = ids.filter((id) => open.includes(id));
    if (there.length) found.push({ said, ids: there });
  };
  if (loss?.lost !== undefined) {
    add(`The loss is not finite from ${loss.unit} ${formatStep(loss.lost)} on.`, [
      "non-finite-values",
      "learning-rate-too-high",
      "exploding-gradient",
      "non-finite-input",
      "index-out-of-range",
    ]);
  } else if (loss && loss.end > loss.start * (1 + CLEAR) && loss.start > 0) {
    add(`The loss rises from ${formatNumber(loss.start)} to ${formatNumber(loss.end)}.`, [
      "learning-rate-too-high",
      "loss-divergence",
      "exploding-gradient",
      "optimizer-mismatch",
    ]);
  } else if (loss && loss.start > 0 && loss.end > loss.start * (1 - CLEAR)) {
    add(
      `The loss hardly falls: ${formatNumber(loss.start)} at the start, ${formatNumber(loss.end)} at the end.`,
      [
        "learning-rate-too-low",
        "vanishing-gradient",
        "dead-relu",
        "wrong-labels",
        "frozen-variable",
        "zero-gradient",
        "unnormalized-input",
      ],
    );
  }
  if (validation && validation.end > validation.least * (1 + CLEAR) && validation.least > 0) {
    add(
      `The validation loss rises from ${formatNumber(validation.least)} at ${validation.unit} ${formatStep(validation.at)} to ${formatNumber(validation.end)}.`,
      ["overfitting"],
    );
  }
  return found;
}

/**
 * @param {Series[]} series
 * @param {string} name
 */
function curveOf(series, name) {
  const one = series.find((each) => each.name === name);
  if (!one || one.values.length < 3) return null;
  const finite = one.values.flatMap((value, index) =>
    value === null ? [] : [{ value, step: Number(one.steps[index]) }],
  );
  if (finite.length < 3) return null;
  const few = Math.max(1, Math.round(finite.length * PART));
  const mean = (/** @type {typeof finite} */ part) =>
    part.reduce((sum, { value }) => sum + value, 0) / part.length;
  const least = finite.reduce((best, each) => (each.value < best.value ? each : best));
  const bad = new Set(one.nonfinite.map(([index]) => index));
  let lost = one.values.length;
  while (bad.has(lost - 1)) lost -= 1;
  return {
    start: mean(finite.slice(0, few)),
    end: mean(finite.slice(-few)),
    least: least.value,
    at: least.step,
    lost: lost < one.values.length ? Number(one.steps[lost]) : undefined,
    unit: stepWord(one.axis),
  };
}
