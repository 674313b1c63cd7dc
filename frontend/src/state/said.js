/**
 * What a screen reader hears when something arrives.
 *
 * @import { Slot } from "../data/loader.js"
 * @import { Finding } from "../types.js"
 */
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { VERDICT_WORD } from "../format/severity.js";

/**
 * @param {string} name Of the slot that changed.
 * @param {Slot<any>} slot
 * @returns {string} Empty for what is not worth an interruption.
 */
export function announcement(name, { status, data, error }) {
  if (error) return error.message;
  if (name !== "findings" || status !== "ready") return "";
  /** @type {Finding[]} */
  const findings = data.findings;
  const run = `Run ${visible(data.run)}`;
  if (findings.length === 0) return `${run}: no finding.`;
  const [first] = findings;
  const verdict = VERDICT_WORD[first.severity];
  return `${run}: ${counted(findings.length, "finding")}, first ${visible(first.title)}, ${verdict}.`;
}
