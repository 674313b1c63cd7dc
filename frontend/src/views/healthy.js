/**
 * The healthy band in words.
 *
 * @import { Healthy } from "../types.js"
 */
import { html } from "lit-html";
import { words } from "../format/names.js";
import { formatValue } from "../format/numbers.js";

/**
 * @param {Healthy} healthy
 * @param {{name: string, unit: string, scale: string}} statistic
 * @param {string} [of] Said before it, where several statistics share a chart.
 */
export function healthyWords({ low, high, rule }, statistic, of = "") {
  const open = low === null || high === null;
  return html`<span class="small-value" title="Thresholds of the rule “${words(rule)}”"
    ><i class=${open ? "limit" : "band"}></i>${of}${healthyRange({ low, high }, statistic)}</span>`;
}

/**
 * `{low: null, high: 40}` -> "healthy up to 40"; with both ends "healthy 1e-4 – 0.1".
 *
 * @param {Pick<Healthy, "low" | "high">} healthy
 * @param {{name: string, unit: string, scale: string}} statistic
 */
export function healthyRange({ low, high }, statistic) {
  const [least, most] = [formatValue(low, statistic), formatValue(high, statistic)];
  if (low === null) return `healthy up to ${most}`;
  return high === null ? `healthy from ${least} on` : `healthy ${least} – ${most}`;
}
