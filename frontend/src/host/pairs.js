/**
 * Pairs of texts that this browser keeps under one key, the newest last.
 */

/**
 * @param {string} key
 * @returns {[string, string][]} Without what is damaged; empty where storage is forbidden.
 */
export function keptPairs(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "[]");
    const sound = (/** @type {unknown} */ one) =>
      Array.isArray(one) && one.length === 2 && one.every((text) => typeof text === "string");
    return Array.isArray(kept) ? kept.filter(sound) : [];
  } catch {
    return [];
  }
}

/**
 * Keeps a pair as the newest, in the place of an older one with the same first text.
 *
 * @param {string} key
 * @param {string} name
 * @param {string} text "" forgets the pair.
 * @param {number} most Pairs that are kept; the oldest is forgotten first.
 * @returns {boolean} Whether it is kept: storage may be full or forbidden.
 */
export function keepPair(key, name, text, most) {
  try {
    const rest = keptPairs(key).filter(([one]) => one !== name);
    const next = text ? [...rest, [name, text]] : rest;
    localStorage.setItem(key, JSON.stringify(next.slice(-most)));
    return true;
  } catch {
    return false;
  }
}
