/**
 * Which replies the selection asks for.
 *
 * @import { State } from "../state/state.js"
 * @import { Api } from "./api.js"
 */
import { rowIndex } from "../state/selection.js";

/**
 * @typedef {object} Wish
 * @property {string} key  Names the reply; "" while there is nothing to ask for.
 * @property {(signal: AbortSignal) => Promise<any>} fetchReply
 */

/**
 * By slot. A run that cannot be read is not asked about; maps and layers wait for the list of rows.
 *
 * @param {State} state
 * @param {Api} api
 * @returns {Record<string, Wish>}
 */
export function wanted({ selection, slots }, api) {
  const { run, group, metric, row } = selection;
  const summary = slots.runs.data?.runs.find((one) => one.run === run);
  const known = run !== null && summary !== undefined && summary.error === null;
  const rows = slots.layers.data?.groups.find((one) => one.group === group)?.rows ?? [];
  const index = rowIndex(rows, row);
  // Until the findings are here, nobody knows which map they will ask for.
  const led = selection.auto && slots.findings.data === null && slots.findings.error === null;
  const mapped = known && !led && group !== null && metric !== null && rows.length > 0;
  const [runName, groupName, metricName] = [run ?? "", group ?? "", metric ?? ""];
  return {
    runs: { key: "runs", fetchReply: api.runs },
    findings: {
      key: keyIf(known, run),
      fetchReply: (signal) => api.findings(runName, signal),
    },
    series: { key: keyIf(known, run), fetchReply: (signal) => api.series(runName, signal) },
    layers: { key: keyIf(known, run), fetchReply: (signal) => api.layers(runName, signal) },
    heat: {
      key: keyIf(mapped, run, group, metric),
      fetchReply: (signal) => api.heatmap(runName, groupName, metricName, signal),
    },
    layer: {
      key: keyIf(mapped && index >= 0, run, group, index),
      fetchReply: (signal) => api.layer(runName, groupName, index, signal),
    },
  };
}

/**
 * @param {boolean} on
 * @param {unknown[]} parts
 */
function keyIf(on, ...parts) {
  return on ? JSON.stringify(parts) : "";
}
