/**
 * Experiments as a file: the whole reply, or their numbers as a table.
 *
 * @import { Cell } from "../export/csv.js"
 * @import { Experiment, Reply } from "./types.js"
 */
import { csv } from "../export/csv.js";

/** @param {Reply} reply */
export function asJson(reply) {
  return JSON.stringify(reply, null, 1);
}

/**
 * One line for each number: which experiment, which part, its value.
 *
 * @param {Reply} reply
 */
export function asTable(reply) {
  const rows = reply.experiments.flatMap((one, at) => rowsOf(one, at));
  return csv(["experiment", "kind", "part", "value"], rows);
}

/**
 * @param {Experiment} experiment
 * @param {number} at
 * @returns {Cell[][]}
 */
function rowsOf({ kind, data, summary, verdicts }, at) {
  return leaves({ summary, verdicts, ...data }, "").map(([path, value]) => [
    at,
    kind,
    path,
    typeof value === "number" ? value : String(value),
  ]);
}

/**
 * Every part that is no list and no object, with the way to it: "curves[0].rates[3]".
 *
 * @param {object} whole
 * @param {string} way
 * @returns {[string, unknown][]}
 */
function leaves(whole, way) {
  const list = Array.isArray(whole);
  return Object.entries(whole).flatMap(([name, part]) => {
    const path = list ? `${way}[${name}]` : way ? `${way}.${name}` : name;
    if (part === null || part === "") return [];
    return typeof part === "object" ? leaves(part, path) : [[path, part]];
  });
}
