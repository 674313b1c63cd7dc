/**
 * Severity in words and shapes. Color is never the only sign: each has a shape of its own.
 *
 * @import { Finding, RunState, RunSummary, Verdict } from "../types.js"
 */
import { formatNumber } from "./numbers.js";

/**
 * What a run or a finding is marked with, worst first. `healthy` is the verdict "nothing found",
 * `unknown` "not decided". A run that cannot be read outranks what is only suspicious.
 */
/** @type {readonly Verdict[]} */
export const VERDICTS = [
  "critical",
  "error",
  "warning",
  "info",
  "pending",
  "unknown",
  "early",
  "healthy",
];

/** @type {Readonly<Record<Verdict, string>>} */
export const VERDICT_WORD = {
  critical: "critical",
  warning: "warning",
  info: "info",
  healthy: "nothing found",
  unknown: "not decided",
  early: "too early",
  pending: "being examined",
  error: "unreadable",
};

/**
 * What an experiment says of a finding: its word and its mark. A refuted cause is no good news (the run
 * is as sick as before): its mark is neutral.
 */
/** @type {Readonly<Record<string, {word: string, mark: Mark}>>} */
export const OUTCOMES = {
  confirmed: { word: "Confirmed", mark: "critical" },
  refuted: { word: "Refuted", mark: "excluded" },
  undecided: { word: "Undecided", mark: "unknown" },
};

/** @type {Readonly<Record<string, string>>} */
export const EXPERIMENT_TITLE = {
  doctor: "Doctor",
  lr_range_test: "LR range test",
  overfit_small_sample: "Small-sample fit",
  ablate: "Ablation",
  check_data: "Data check",
  gradient_check: "Gradient check",
};

/** What a run is, in the order in which runs are listed. */
/** @type {readonly RunState[]} */
export const STATES = ["sick", "error", "pending", "not-decided", "too-early", "nothing-found"];

/** @type {Readonly<Record<RunState, string>>} */
export const STATE_WORD = {
  sick: "Sick",
  error: "Cannot be read",
  pending: "Being examined",
  "not-decided": "Not decided",
  "too-early": "Too early",
  "nothing-found": "Nothing found",
};

/** The mark of each state. */
/** @type {Readonly<Record<RunState, Verdict>>} */
export const STATE_MARK = {
  sick: "critical",
  error: "error",
  pending: "pending",
  "not-decided": "unknown",
  "too-early": "early",
  "nothing-found": "healthy",
};

/** @typedef {Verdict | "excluded"} Mark */

/** Outlines in a box of 16 x 16, for SVG and for Path2D. */
/** @type {Readonly<Record<Mark, string>>} */
export const VERDICT_PATH = {
  critical:
    "M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5zM5.7 4.3 4.3 5.7 6.6 8l-2.3 2.3 1.4 1.4L8 9.4l2.3 2.3 1.4-1.4L9.4 8l2.3-2.3-1.4-1.4L8 6.6z",
  warning:
    "M8 1.2c.5 0 .9.2 1.1.7l5.8 11c.5.9-.1 1.9-1.1 1.9H2.2c-1 0-1.6-1-1.1-1.9l5.8-11c.2-.5.6-.7 1.1-.7zM7.1 5.5v4.6h1.8V5.5zm0 5.9v1.8h1.8v-1.8z",
  info: "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM7.1 4v1.9h1.8V4zm0 3.1V12h1.8V7.1z",
  healthy:
    "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zm3 4.1L7 9.1 5 7.2 3.7 8.5 7 11.7l5.3-5.4z",
  // A question mark in a dashed circle: not a solid shape, as nothing solid is said.
  unknown:
    "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM8 2.4a5.6 5.6 0 1 0 0 11.2A5.6 5.6 0 0 0 8 2.4zM5.5 6.4C5.5 4.9 6.6 4 8 4s2.5.9 2.5 2.2c0 1.7-1.8 1.9-1.8 3.1v.2H7.2v-.4c0-1.8 1.8-2 1.8-2.9 0-.5-.4-.8-1-.8s-1 .4-1 1zM7.1 10.6v1.6h1.7v-1.6z",
  early:
    "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM8 2.4a5.6 5.6 0 1 0 0 11.2A5.6 5.6 0 0 0 8 2.4zM7.2 4.2v4.3l3 2.2.9-1.2-2.4-1.8V4.2z",
  pending: "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM7.1 3.5v5.1l3.6 2.6 1-1.4-2.8-2V3.5z",
  // A bar in a circle: struck off the list.
  excluded: "M8 .9a7.1 7.1 0 1 1 0 14.2A7.1 7.1 0 0 1 8 .9zM3.9 7v2h8.2V7z",
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
 * The mark of a run: how severe it is where it is sick, else its verdict. Green needs evidence: a
 * run without a verdict is not decided.
 *
 * @param {Pick<RunSummary, "error" | "severity" | "verdict">} run
 * @returns {Verdict}
 */
export function verdictOf({ error, severity, verdict }) {
  if (error !== null) return "error";
  if (severity === "critical" || severity === "warning" || severity === "pending") return severity;
  return STATE_MARK[verdict?.state ?? "not-decided"];
}

/**
 * @param {Pick<RunSummary, "error" | "severity" | "verdict">} run
 * @returns {RunState}
 */
export function stateOf(run) {
  return RUN_STATE[verdictOf(run)];
}

/** @type {Readonly<Record<Verdict, RunState>>} */
const RUN_STATE = {
  critical: "sick",
  warning: "sick",
  info: "not-decided",
  error: "error",
  pending: "pending",
  unknown: "not-decided",
  early: "too-early",
  healthy: "nothing-found",
};

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
 * How many runs are in which state, and that in words: "2 sick".
 *
 * @param {RunSummary[]} runs
 */
export function tallied(runs) {
  /** @type {Map<RunState, number>} */
  const counts = new Map();
  for (const run of runs) {
    const state = stateOf(run);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return STATES.flatMap((state) => {
    const count = counts.get(state) ?? 0;
    const text = `${formatNumber(count, 9)} ${STATE_WORD[state].toLowerCase()}`;
    return count > 0 ? [{ state, count, text }] : [];
  });
}

/**
 * Lower is worse.
 *
 * @param {Verdict} verdict
 */
export function badness(verdict) {
  return VERDICTS.indexOf(verdict);
}
