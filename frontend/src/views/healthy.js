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
  const [least, most] = [formatValue(low, statistic), formatValue(high, statistic)];
  const open = low === null || high === null;
  const range = open ? `limit ${low === null ? most : least}` : `healthy ${least} – ${most}`;
  return html`<span class="small-value" title="Thresholds of the rule “${words(rule)}”"
    ><i class=${open ? "limit" : "band"}></i>${of}${range}</span>`;
}
