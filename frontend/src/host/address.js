/**
 * The fragment of the address that the person sees: TensorBoard's, or our own when standing alone.
 */

/** @returns {string} With "#", or empty. */
export function readHash() {
  return hostWindow()?.location.hash ?? window.location.hash;
}

/**
 * Replaces the fragment without a new entry in the history and without a `hashchange`.
 *
 * TensorBoard's fragment begins with the name of the open tab; while another one is open, the
 * address is not ours to change.
 *
 * @param {string} hash With "#".
 */
export function writeHash(hash) {
  try {
    const host = hostWindow() ?? window;
    if (host !== window && !/^#convergence(&|$)/.test(host.location.hash)) return;
    host.history.replaceState(host.history.state, "", hash);
  } catch {
    // Browsers limit how often an address changes; the next change writes it.
  }
}

function hostWindow() {
  try {
    const host = window.parent;
    return host !== window && typeof host.location.hash === "string" ? host : null;
  } catch {
    return null;
  }
}
