/**
 * What a screen reader hears when something arrives.
 *
 * @import { Slot } from "../data/loader.js"
 * @import { Finding, RunsReply } from "../types.js"
 */
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { tallied, VERDICT_WORD } from "../format/severity.js";

/**
 * @param {string} name Of the slot that changed.
 * @param {Slot<any>} slot
 * @param {Slot<any>} before
 * @returns {string} Empty for what is not worth an interruption.
 */
export function announcement(name, { status, data, error }, before) {
  if (error) return error.message;
  if (status !== "ready") return "";
  if (name === "runs") return before.error ? "TensorBoard answers again." : progress(data, before);
  // A refresh that brings nothing new is no news.
  if (name !== "findings" || said(data) === (before.data && said(before.data))) return "";
  return said(data);
}

/** @param {{run: string, findings: Finding[]}} reply */
function said({ run, findings }) {
  const name = `Run ${visible(run)}`;
  if (findings.length === 0) return `${name}: no finding.`;
  const [first] = findings;
  const verdict = VERDICT_WORD[first.severity];
  return `${name}: ${counted(findings.length, "finding")}, first ${visible(first.title)}, ${verdict}.`;
}

/**
 * The beginning and the end of examining many runs; not every step between.
 *
 * @param {RunsReply} reply
 * @param {Slot<RunsReply>} before
 */
function progress({ runs, pending }, { data: earlier }) {
  if (pending > 0) return earlier ? "" : `Examining ${counted(runs.length, "run")}.`;
  if (!earlier || earlier.pending === 0) return "";
  const told = tallied(runs).map(({ text }) => text);
  return `All ${counted(runs.length, "run")} are examined: ${told.join(", ")}.`;
}
