/**
 * The fragment of the address that the person sees: TensorBoard's, or our own when standing alone.
 */

/** @returns {string} With "#", or empty. */
export function readHash() {
  return hostWindow()?.location.hash ?? window.location.hash;
}

/** The whole address that leads here. */
export function linkToHere() {
  return (hostWindow() ?? window).location.href;
}

/**
 * Replaces the fragment without a `hashchange`; with a new entry in the history where "back" is to
 * lead to the present one.
 *
 * TensorBoard's fragment begins with the name of the open tab; while another one is open, the
 * address is not ours to change.
 *
 * @param {string} hash With "#".
 * @param {boolean} newPlace
 */
export function writeHash(hash, newPlace) {
  try {
    const host = hostWindow() ?? window;
    if (host !== window && !isOurs(host.location.hash)) return;
    const { history, location } = host;
    // A fragment alone would be taken as relative to our `<base>`: elsewhere when it is reloaded.
    const address = `${location.pathname}${location.search}${hash}`;
    if (newPlace) history.pushState(history.state, "", address);
    else history.replaceState(history.state, "", address);
  } catch {
    // Browsers limit how often an address changes; the next change writes it.
  }
}

/**
 * Hears of fragments that we did not write: "back", "forward", an address typed or pasted.
 *
 * @param {(hash: string) => void} arrived
 */
export function onArrival(arrived) {
  const host = hostWindow() ?? window;
  host.addEventListener("hashchange", () => {
    const { hash } = host.location;
    if (host === window || isOurs(hash)) arrived(hash);
  });
}

/** @param {string} hash TensorBoard's begins with the name of the open tab. */
function isOurs(hash) {
  return /^#convergence(&|$)/.test(hash);
}

function hostWindow() {
  try {
    const host = window.parent;
    return host !== window && typeof host.location.hash === "string" ? host : null;
  } catch {
    return null;
  }
}
