/**
 * A person's notes on runs, kept in this browser. TensorBoard's storage is shared: the key has a prefix.
 */

import { keepPair, keptPairs } from "./pairs.js";

const KEY = "tb_convergence.notes";
/** Runs with a note; the oldest note is forgotten first. */
const MOST = 200;
export const LONGEST = 2_000;

/**
 * @param {string} run
 * @returns {string} "" where there is none.
 */
export function noteOn(run) {
  return (
    keptPairs(KEY)
      .findLast(([one]) => one === run)?.[1]
      .slice(0, LONGEST) ?? ""
  );
}

/**
 * @param {string} run
 * @param {string} note "" forgets it.
 * @returns {boolean} Whether it is kept.
 */
export function keepNote(run, note) {
  return keepPair(KEY, run, note.slice(0, LONGEST), MOST);
}
