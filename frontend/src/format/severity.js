/**
 * Severity in words and shapes. Colour is never the only sign: each has a shape of its own.
 *
 * @import { Finding, Verdict, RunSummary } from "../types.js"
 */
import { formatNumber } from "./numbers.js";

/** Worst first. A run that cannot be read outranks what is only suspicious. */
/** @type {readonly Verdict[]} */
export const VERDICTS = ["critical", "error", "warning", "info", "pending", "unknown", "healthy"];

/** @type {Readonly<Record<Verdict, string>>} */
export const VERDICT_WORD = {
  critical: "critical",
  warning: "warning",
  info: "notice",
  healthy: "healthy",
  unknown: "not enough data",
  pending: "being examined",
  error: "unreadable",
};

/** Outlines in a box of 16 x 16, for SVG and for Path2D. */
/** @type {Readonly<Record<Verdict, string>>} */
export const VERDICT_PATH = {
  critical:
    "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5zM5.7 4.3 4.3 5.7 6.6 8l-2.3 2.3 1.4 1.4L8 9.4l2.3 2.3 1.4-1.4L9.4 8l2.3-2.3-1.4-1.4L8 6.6z",
  warning:
    "M8 1.2c.5 0 .9.2 1.1.7l5.8 11c.5.9-.1 1.9-1.1 1.9H2.2c-1 0-1.6-1-1.1-1.9l5.8-11c.2-.5.6-.7 1.1-.7zM7.1 5.5v4.6h1.8V5.5zm0 5.9v1.8h1.8v-1.8z",
  info: "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM7.1 4v1.9h1.8V4zm0 3.1V12h1.8V7.1z",
  healthy:
    "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zm3 4.1L7 9.1 5 7.2 3.7 8.5 7 11.7l5.3-5.4z",
  unknown:
    "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM4 7.1v1.8h2V7.1zm3 0v1.8h2V7.1zm3 0v1.8h2V7.1z",
  pending: "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM7.1 3.5v5.1l3.6 2.6 1-1.4-2.8-2V3.5z",
  error: "M2.5.9h8l3.9 3.9v10.3h-12zM7.1 5v4.6h1.8V5zm0 5.9v1.8h1.8v-1.8z",
};

/**
 * The outer line of a verdict's shape.
 *
 * @param {Verdict} verdict
 */
export function outline(verdict) {
  const path = VERDICT_PATH[verdict];
  return path.slice(0, path.indexOf("z") + 1);
}

/**
 * @param {RunSummary} run
 * @returns {Verdict}
 */
export function verdictOf(run) {
  return run.error === null ? run.severity : "error";
}

/**
 * Whether a run has recovered from what a finding says.
 *
 * @param {Pick<Finding, "recovered_step">} finding
 */
export function isOver({ recovered_step: over }) {
  return over != null;
}

/**
 * How a finding looks: what is over does as what is well.
 *
 * @param {Finding} finding
 * @returns {Verdict}
 */
export function lookOf(finding) {
  return isOver(finding) ? "healthy" : finding.severity;
}

/**
 * How many runs are how sick, worst first, and that in words: "2 warnings".
 *
 * @param {RunSummary[]} runs
 */
export function tallied(runs) {
  return VERDICTS.map((verdict) => {
    const count = runs.filter((run) => verdictOf(run) === verdict).length;
    const more = count > 1 && (verdict === "warning" || verdict === "info") ? "s" : "";
    return { verdict, count, text: `${formatNumber(count, 9)} ${VERDICT_WORD[verdict]}${more}` };
  }).filter(({ count }) => count > 0);
}

/**
 * Lower is worse.
 *
 * @param {Verdict} verdict
 */
export function badness(verdict) {
  return VERDICTS.indexOf(verdict);
}
