/**
 * Where a piece of evidence is drawn: in the map, at a row and a step, or in the curves of the run.
 *
 * @import { Evidence, Finding, Group, Metric } from "../types.js"
 */
import { fittingMetric } from "./metrics.js";

/**
 * @typedef {object} Drawn
 * @property {"map" | "curves"} view
 * @property {Group | null} group  Of the map.
 * @property {Metric | null} metric
 * @property {"loss" | "norms"} chart  Of the curves.
 *
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @param {Group[]} groups
 * @param {Set<string>} curves  Names of the curves of the run.
 * @returns {Drawn | null} null where the run recorded nothing that shows it.
 */
export function drawnAt({ statistic, of = [] }, finding, groups, curves) {
  for (const name of [statistic, ...of]) {
    if (LOSSES.has(name) && curves.has(name)) {
      return { view: "curves", group: null, metric: null, chart: "loss" };
    }
    for (const group of groups) {
      const metric = group.metrics.find((one) => one.name === name);
      if (metric) return { view: "map", group, metric, chart: "loss" };
    }
    if (curves.has(name)) {
      const chart = name.endsWith("_norm") || name.startsWith("clip") ? "norms" : "loss";
      return { view: "curves", group: null, metric: null, chart };
    }
  }
  const fitting = fittingMetric(finding, groups);
  if (fitting) return { view: "map", ...fitting, chart: "loss" };
  return curves.has("loss") ? { view: "curves", group: null, metric: null, chart: "loss" } : null;
}

/** Statistics of the run that a layer may have, too: of the run they are drawn as curves. */
const LOSSES = new Set(["loss", "epoch_loss", "validation_loss", "learning_rate"]);
