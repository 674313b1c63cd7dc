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
    "unnormalized-input": ["feature_rms", "feature_mean", "feature_std"],
    "unshuffled-batches": ["feature_mean"],
    "class-imbalance": ["feature_mean"],
    "wrong-labels": ["feature_std"],
    "non-finite-input": [
      "feature_nan_fraction",
      "feature_inf_fraction",
      "activation_nan_fraction",
      "gradient_nan_fraction",
    ],
    "index-out-of-range": ["feature_min", "feature_max"],
    "unscaled-target": ["feature_rms", "feature_max"],
    "wrong-loss": ["feature_min", "feature_max", "feature_std"],
    "wrong-output-activation": [
      "feature_min",
      "feature_max",
      "activation_zero_fraction",
      "activation_saturated_fraction",
      "activation_batch_std",
    ],
    "wrong-hidden-activation": ["gradient_norm", "activation_saturated_fraction"],
    "dead-relu": ["activation_dead_fraction", "activation_zero_fraction", "gradient_zero_fraction"],
    "poor-initialization": ["variable_norm", "activation_std"],
    "over-regularization": [
      "variable_norm",
      "activation_zero_fraction",
      "gradient_zero_fraction",
      "gradient_norm",
    ],
    "batch-norm-masks-gradients": ["gradient_norm"],
    "too-deep-without-skip": ["gradient_norm"],
    "insufficient-capacity": ["update_ratio"],
    "optimizer-mismatch": ["update_ratio", "gradient_norm"],
    // Where the norm becomes NaN is drawn as such, and its growth before that is seen as well.
    "non-finite-values": ["gradient_norm", "activation_std", "gradient_nan_fraction"],
    "loss-divergence": ["gradient_norm"],
    "loss-spike": ["gradient_norm"],
    "loss-oscillation": ["gradient_norm"],
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

/** Findings that a column of the data shows only where they say so, by these words. */
const SAID = new Map([
  ["feature_min", "smallest "],
  ["feature_max", "largest "],
  ["feature_std", "spread of the predictions"],
]);
const OF_COLUMNS = new Set(["index-out-of-range", "wrong-loss", "wrong-output-activation"]);

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
  const said = says(finding);
  if (finding.id === "unnormalized-input") {
    if (metric.name === "feature_rms") return finding.evidence.some(isLargeFeature);
    return metric.name !== "feature_mean" || said.includes("mean of the largest feature");
  }
  if (metric.name === "feature_nan_fraction") return !said.includes("inf fraction");
  const word = OF_COLUMNS.has(finding.id) && SAID.get(metric.name);
  if (word) return said.includes(word);
  if (finding.id === "over-regularization") return tellsOfStrength(finding, rows, metric);
  if (finding.id === "poor-initialization" && metric.name === "variable_norm") {
    return !said.includes("first loss");
  }
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
 * What dropout cuts are outputs, and with them gradients, where those are exactly zero; the weights'
 * norm shows a penalty.
 *
 * @param {Finding} finding
 * @param {Group["rows"]} rows
 * @param {Metric} metric
 */
function tellsOfStrength(finding, rows, { name }) {
  if (!says(finding).includes("dropout")) return name === "variable_norm";
  if (name === "gradient_zero_fraction") return finding.explains.includes("zero-gradient");
  if (name === "variable_norm") return false;
  const shown = rows.some((row) => finding.layers.includes(row.layer));
  return name !== "activation_zero_fraction" || shown;
}

/**
 * Whether the size of features is judged, and not only how it differs between them.
 *
 * @param {Finding["evidence"][number]} evidence
 */
function isLargeFeature({ name, threshold }) {
  return name.startsWith("root mean square") && threshold !== null;
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
  const best =
    fitting.find(({ group, metric }) => tells(finding, group, metric)) ??
    fitting.find(({ metric }) => !OF_COLUMNS.has(finding.id) || !SAID.has(metric.name));
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
