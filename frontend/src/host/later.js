/**
 * Fetches the part of the page that is not needed to open it.
 *
 * @typedef {typeof import("../later.js")} Later
 */

import { loadStyles } from "./styles.js";

/** @type {Later | null} */
let here = null;
/** @type {Promise<Later> | null} */
let coming = null;

/** @returns {Promise<Later>} Rejected where it cannot be fetched; the next call tries again. */
export function later() {
  coming ??= Promise.all([import("../later.js"), loadStyles("later.css")]).then(
    ([module]) => {
      here = module;
      return module;
    },
    (error) => {
      coming = null;
      throw error;
    },
  );
  return coming;
}

/** It, where it has been fetched. */
export const present = () => here;

/**
 * What `draw` makes of it; where it is not here yet, `meanwhile`, and it is fetched.
 *
 * @template Result
 * @param {(module: Later) => Result} draw
 * @param {() => void} arrived
 * @param {unknown} meanwhile
 */
export function withLater(draw, arrived, meanwhile) {
  if (here) return draw(here);
  if (!coming) later().then(arrived, () => {});
  return meanwhile;
}
