/**
 * A person's notes on runs, kept in this browser. TensorBoard's storage is shared: the key has a prefix.
 */

const KEY = "tb_convergence.notes";
/** Runs with a note; the oldest note is forgotten first. */
const MOST = 200;
export const LONGEST = 2_000;

/** @returns {[string, string][]} Runs and their notes; the newest last. */
function entries() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    const sound = (/** @type {unknown} */ one) =>
      Array.isArray(one) && one.length === 2 && one.every((text) => typeof text === "string");
    return Array.isArray(kept) ? kept.filter(sound) : [];
  } catch {
    return [];
  }
}

/**
 * @param {string} run
 * @returns {string} "" where there is none.
 */
export function noteOn(run) {
  return (
    entries()
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
  try {
    const rest = entries().filter(([one]) => one !== run);
    const next = note ? [...rest, [run, note.slice(0, LONGEST)]] : rest;
    localStorage.setItem(KEY, JSON.stringify(next.slice(-MOST)));
    return true;
  } catch {
    return false;
  }
}
