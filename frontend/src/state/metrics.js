/**
 * Which metric of the heat map shows a finding best.
 *
 * @import { Finding, Group, Metric } from "../types.js"
 */

/** Best first. A diagnosis that is not listed is matched by the names in its evidence. */
const FITTING = new Map(
  Object.entries({
    "learning-rate-too-high": ["update_ratio", "gradient_norm"],
    "learning-rate-too-low": ["update_ratio"],
    "clipping-hides-learning-rate": ["gradient_norm"],
    "unnormalized-input": ["feature_mean", "feature_std"],
    "unshuffled-batches": ["feature_mean"],
    "class-imbalance": ["feature_mean"],
    "wrong-labels": ["feature_std"],
    "non-finite-input": [
      "feature_nan_fraction",
      "feature_inf_fraction",
      "activation_nan_fraction",
      "gradient_nan_fraction",
    ],
    "unscaled-target": ["feature_max"],
    "wrong-output-activation": [
      "activation_zero_fraction",
      "activation_saturated_fraction",
      "activation_batch_std",
    ],
    "wrong-hidden-activation": ["gradient_norm", "activation_saturated_fraction"],
    "dead-relu": ["activation_dead_fraction", "activation_zero_fraction", "gradient_zero_fraction"],
    "poor-initialization": ["variable_norm", "activation_std"],
    "over-regularization": ["variable_norm"],
    "batch-norm-masks-gradients": ["gradient_norm"],
    "too-deep-without-skip": ["gradient_norm"],
    "insufficient-capacity": ["update_ratio"],
    "optimizer-mismatch": ["update_ratio", "gradient_norm"],
    // Where the norm becomes NaN is drawn as such, and its growth before that is seen as well.
    "non-finite-values": ["gradient_norm", "activation_std", "gradient_nan_fraction"],
    "exploding-gradient": ["gradient_norm"],
    "vanishing-gradient": ["gradient_norm"],
    "zero-gradient": ["gradient_zero_fraction"],
    "saturated-activation": ["activation_saturated_fraction"],
    "constant-output": ["activation_batch_std"],
    "frozen-variable": ["update_ratio", "gradient_zero_fraction"],
    "update-ratio-out-of-range": ["update_ratio"],
  }),
);

const RELU_LIKE = new Set(["relu", "relu6"]);
/**
 * Statistics that tell something of outputs of these activations only: of others, saturated and dead
 * outputs are not recorded, and zeros are none or chance.
 */
const TELLING = new Map([
  ["activation_saturated_fraction", new Set(["sigmoid", "tanh"])],
  ["activation_dead_fraction", RELU_LIKE],
  ["activation_zero_fraction", RELU_LIKE],
]);

/** @param {Finding} finding */
function says({ evidence }) {
  return evidence.map(({ name }) => name.toLowerCase()).join("\n");
}

/**
 * Whether a metric tells something of the first layer that the finding names, as far as its
 * activation says; of a row whose activation is not known it may.
 *
 * @param {Finding} finding
 * @param {Group} group
 * @param {Metric} metric
 */
function tells(finding, { rows }, metric) {
  if (finding.id === "unnormalized-input" && metric.name === "feature_mean") {
    return says(finding).includes("mean of the largest feature");
  }
  if (metric.name === "feature_nan_fraction") return !says(finding).includes("inf fraction");
  const telling = TELLING.get(metric.name);
  if (!telling) return true;
  for (const layer of finding.layers) {
    const named = rows.filter((row) => row.name === layer || row.layer === layer);
    if (named.length === 0) continue;
    return named.some(({ activation }) => !activation || telling.has(activation));
  }
  return true;
}

/**
 * @param {Finding} finding
 * @param {Group[]} groups
 * @returns {{group: Group, metric: Metric} | null} null where nothing on offer shows it.
 */
export function fittingMetric(finding, groups) {
  const offered = groups.flatMap((group) => group.metrics.map((metric) => ({ group, metric })));
  const fitting = (FITTING.get(finding.id) ?? []).flatMap((name) => {
    const match = offered.find(({ metric }) => metric.name === name);
    return match ? [match] : [];
  });
  const best = fitting.find(({ group, metric }) => tells(finding, group, metric)) ?? fitting[0];
  if (best) return best;
  const said = says(finding);
  return (
    offered.find(({ group, metric }) => {
      // "Mean" and "Largest" of data are words that evidence of anything may hold.
      if (group.group === "inputs") return false;
      const spoken = metric.name.replaceAll("_", " ");
      return said.includes(metric.title.toLowerCase()) || said.includes(spoken);
    }) ?? null
  );
}
