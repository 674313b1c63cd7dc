/**
 * The kinds of experiments: what each asks, and the command that runs it.
 *
 * @import { Kind } from "./types.js"
 */

/** @type {Record<Kind, {question: string, only: string}>} */
export const KINDS = {
  doctor: {
    question: "Why does it not converge, and which change provably helps?",
    only: "",
  },
  lr_range_test: {
    question: "At which learning rates does this model learn?",
    only: "lr-range-test",
  },
  overfit_small_sample: {
    question: "Can the model memorize 32 samples? 128? 512?",
    only: "small-sample",
  },
  ablate: {
    question: "Which single change improves it, and by how much?",
    only: "ablate",
  },
  check_data: {
    question: "Is something wrong with the data?",
    only: "check-data",
  },
  gradient_check: {
    question: "Are the gradients correct? Does batch normalization hide vanishing gradients?",
    only: "gradient-check",
  },
};

/**
 * The command that runs an experiment; the result lands in the folder of the run.
 *
 * @param {Kind} kind
 * @param {string} run
 */
export function commandOf(kind, run) {
  const { only } = KINDS[kind];
  // What a shell could take for more than a name is left for the person to fill in.
  const folder =
    run === "." ? "LOGDIR" : /^[\w.][\w./-]*$/.test(run) ? `LOGDIR/${run}` : "LOGDIR/RUN";
  return `tb-convergence doctor ${only ? `--only ${only} ` : ""}--logdir ${folder} train.py`;
}
