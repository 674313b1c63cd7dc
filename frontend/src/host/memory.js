/**
 * What this browser remembers of a person's answers about scalars, by the names they were about.
 * TensorBoard's storage is shared: keys have a prefix.
 */

import { keepPair, keptPairs } from "./pairs.js";

const KEY = "tb_convergence.scalars";
/** Sets of names that are remembered; the oldest is forgotten first. */
const MOST = 20;

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
  return keptPairs(KEY).findLast(([one]) => one === wanted)?.[1] ?? "";
}

/**
 * @param {string[]} names
 * @param {string} said "" forgets.
 */
export function remember(names, said) {
  // If it is not kept, the link still holds the answer.
  keepPair(KEY, key(names), said, MOST);
}
