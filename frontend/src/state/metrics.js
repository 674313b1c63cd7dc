/**
 * Which metric of the heat map shows a finding best.
 *
 * @import { Finding, Group, Metric } from "../types.js"
 */

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

/**
 * Whether a metric tells something of the first layer that the finding names, as far as its
 * activation says; of a row whose activation is not known it may.
 *
 * @param {Finding} finding
 * @param {Group} group
 * @param {Metric} metric
 */
function tells({ layers }, { rows }, metric) {
  const telling = TELLING.get(metric.name);
  if (!telling) return true;
  for (const layer of layers) {
    const named = rows.filter((row) => row.name === layer || row.layer === layer);
    if (named.length === 0) continue;
    return named.some(({ activation }) => !activation || telling.has(activation));
  }
  return true;
}

/**
 * The first metric on offer that the finding says shows it.
 *
 * @param {Finding} finding
 * @param {Group[]} groups
 * @returns {{group: Group, metric: Metric} | null} null where nothing on offer shows it.
 */
export function fittingMetric(finding, groups) {
  const offered = groups.flatMap((group) => group.metrics.map((metric) => ({ group, metric })));
  const fitting = (finding.shows ?? []).flatMap((name) => {
    const match = offered.find(({ metric }) => metric.name === name);
    return match ? [match] : [];
  });
  return fitting.find(({ group, metric }) => tells(finding, group, metric)) ?? fitting[0] ?? null;
}
