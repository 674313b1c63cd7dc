/**
 * The healthy band in words.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Healthy, Heat, Metric } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { words } from "../format/names.js";
import { formatValue } from "../format/numbers.js";

/**
 * @param {Healthy} healthy
 * @param {{name: string, unit: string, scale: string}} statistic
 * @param {string} [of] Said before it, where several statistics share a chart.
 * @param {Pick<Line, "y" | "high">} [line]  The curve beside which it is said.
 */
export function healthyWords({ low, high, rule }, statistic, of = "", line = undefined) {
  const open = low === null || high === null;
  const off = low === null && high !== null && line ? distance(line, high) : "";
  return html`<span class="small-value" title="Thresholds of the rule “${words(rule)}”; they may differ between layers"
    >${off ? nothing : html`<i class=${open ? "limit" : "band"}></i>`}${of}${
      off
        ? of
          ? `${off} its limit of ${formatValue(high, statistic)}`
          : `${off} ${formatValue(high, statistic)}, where “${words(rule)}” begins`
        : healthyRange({ low, high }, statistic)
    }</span>`;
}

/**
 * How far below a limit a curve stays that ends below it, so that the chart does not show it.
 *
 * @param {Pick<Line, "y" | "high">} line
 * @param {number} limit > 0
 */
export function distance({ y, high }, limit) {
  const most = Math.max(...y.map(Number), ...(high ?? []).map(Number));
  if (most > limit / 1.15) return "";
  return most < limit / 10 ? "far below" : "below";
}

/**
 * The healthy band of a map's statistic: against a limit its largest value is held, wherever it is.
 *
 * @param {Metric} metric
 * @param {Heat} heat
 */
export function healthyOfMap(metric, heat) {
  return metric.healthy ? healthyWords(metric.healthy, metric, "", heightOf(heat)) : nothing;
}

/**
 * @param {Heat} heat
 * @returns {Pick<Line, "y" | "high"> | undefined}
 */
export function heightOf({ header: { maximum } }) {
  return maximum === null ? undefined : { y: [maximum] };
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
