/**
 * Shapes of the reply of `experiments` (docs/http_api.md).
 *
 * @typedef {"confirmed" | "refuted" | "undecided"} Outcome
 * @typedef {{finding: string, title: string, outcome: Outcome, reason: string}} Verdict
 *
 * @typedef {object} Sweep
 * @property {string} optimizer
 * @property {number | null} rate_in_use
 * @property {number | null} suggested
 * @property {(number | null)[]} interval  Lowest and highest suggestion of single seeds; or empty.
 * @property {number | null} highest_stable
 * @property {string} why_none
 * @property {string} ended
 * @property {{rates: (number | null)[], losses: (number | null)[], smoothed: (number | null)[],
 *   diverged: boolean}[]} curves
 *
 * @typedef {Sweep & {unclipped: Sweep | null}} RangeTest
 *
 * @typedef {object} Rung
 * @property {number | null} size
 * @property {number | null} score
 * @property {number | null} learned  Share of what a constant answer leaves.
 * @property {number | null} steps
 * @property {boolean} memorized
 * @property {number | null} with_adam
 *
 * @typedef {{measure: string, ended: string, threshold: number | null, rungs: Rung[]}} Ladder
 *
 * @typedef {object} Effect
 * @property {string} id
 * @property {string} title
 * @property {boolean} control
 * @property {(number | null)[]} values  One for each seed; null where the training diverged.
 * @property {number | null} mean  Of the paired differences; higher is better.
 * @property {number | null} low
 * @property {number | null} high
 * @property {boolean} helps
 * @property {boolean} hurts
 *
 * @typedef {object} Ablation
 * @property {string} measure
 * @property {number | null} steps
 * @property {number | null} baseline  What a constant answer reaches.
 * @property {string} ended
 * @property {(number | null)[]} unchanged
 * @property {Effect[]} effects
 * @property {{id: string, reason: string}[]} left_out
 *
 * @typedef {{name: string, norm: number | null, norm_without: number | null, error: number | null}} LayerGradient
 * @typedef {{batch_norm: boolean, tolerance: number | null, layers: LayerGradient[]}} GradientCheck
 *
 * @typedef {object} Issue
 * @property {string} id
 * @property {string} severity
 * @property {string} where
 * @property {string} message
 * @property {string} advice
 * @property {string} finding
 *
 * @typedef {{samples: number | null, whole: boolean, checked: string[], issues: Issue[]}} DataCheck
 *
 * @typedef {object} Proof
 * @property {string} title
 * @property {string[]} changes
 * @property {string[]} lines
 * @property {number | null} steps
 * @property {(number | null)[]} before
 * @property {(number | null)[]} after
 * @property {boolean} proven
 * @property {boolean} chosen
 *
 * @typedef {object} Candidate
 * @property {string} id
 * @property {string} title
 * @property {string[]} because
 * @property {number | null} value
 * @property {string} not_tried
 *
 * @typedef {object} Prescription
 * @property {string} measure
 * @property {number | null} unchanged
 * @property {number | null} short_steps
 * @property {number | null} planned_steps
 * @property {number | null} seconds
 * @property {string[]} findings
 * @property {string} diff
 * @property {Candidate[]} candidates
 * @property {Proof[]} proofs
 *
 * @typedef {object} Data  What each kind of experiment holds.
 * @property {RangeTest} lr_range_test
 * @property {Ladder} overfit_small_sample
 * @property {Ablation} ablate
 * @property {GradientCheck} gradient_check
 * @property {DataCheck} check_data
 * @property {Prescription} doctor
 *
 * @typedef {keyof Data} Kind
 *
 * @typedef {object} Experiment
 * @property {Kind} kind
 * @property {string} summary
 * @property {number | string} step
 * @property {number} wall_time
 * @property {Verdict[]} verdicts
 * @property {any} data  null where it did not fit into the reply.
 *
 * @typedef {{schema: number, run: string, total: number, experiments: Experiment[]}} Reply
 */
export {};
