/**
 * What this browser remembers of a person's answers about scalars, by the names they were about.
 * TensorBoard's storage is shared: keys have a prefix.
 */

const KEY = "tb_convergence.scalars";
/** Sets of names that are remembered; the oldest is forgotten first. */
const MOST = 20;

/** @returns {[string, string][]} Names, and what was said of them; the newest last. */
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

/** @param {string[]} names  */
function key(names) {
  return [...names].sort().join("\n").slice(0, 5_000);
}

/**
 * @param {string[]} names
 * @returns {string} "" where nothing is remembered.
 */
export function remembered(names) {
  const wanted = key(names);
  return entries().findLast(([one]) => one === wanted)?.[1] ?? "";
}

/**
 * @param {string[]} names
 * @param {string} said "" forgets.
 */
export function remember(names, said) {
  try {
    const wanted = key(names);
    const rest = entries().filter(([one]) => one !== wanted);
    const next = said ? [...rest, [wanted, said]] : rest;
    localStorage.setItem(KEY, JSON.stringify(next.slice(-MOST)));
  } catch {
    // Storage is full or forbidden: the link still holds the answer.
  }
}
