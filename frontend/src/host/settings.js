/**
 * How a person likes to look at charts, kept in this browser. A link that says how to look comes first:
 * settings apply only where the address says nothing.
 *
 * @import { View } from "../types.js"
 */

/** TensorBoard's own settings lie in the same storage. */
const STORED = "tb_convergence.view";

/** What is kept, and which values are sound: storage may hold anything. */
const KEPT = /** @type {const} */ ({
  x: (/** @type {unknown} */ value) => ["step", "relative", "wall"].includes(String(value)),
  smoothing: (/** @type {unknown} */ value) =>
    typeof value === "number" && value >= 0 && value <= 0.99,
  shade: (/** @type {unknown} */ value) =>
    value === null || value === "health" || value === "value",
  order: (/** @type {unknown} */ value) =>
    ["depth", "name", "worst", "crossing"].includes(String(value)),
  outliers: (/** @type {unknown} */ value) => typeof value === "boolean",
  pinned: (/** @type {unknown} */ value) =>
    Array.isArray(value) && value.length <= 20 && value.every((one) => typeof one === "string"),
});
const NAMES = /** @type {(keyof typeof KEPT)[]} */ (Object.keys(KEPT));
const MAX_TEXT = 10_000;

/**
 * @param {Pick<Storage, "getItem"> | null} storage
 * @returns {Partial<View>}
 */
export function readSettings(storage) {
  try {
    const text = storage?.getItem(STORED) ?? "{}";
    const stored = text.length <= MAX_TEXT ? JSON.parse(text) : {};
    const kept = NAMES.filter((name) => name in stored && KEPT[name](stored[name]));
    return Object.fromEntries(kept.map((name) => [name, stored[name]]));
  } catch {
    return {};
  }
}

/**
 * @param {Pick<Storage, "setItem"> | null} storage
 * @param {View} view
 */
export function keepSettings(storage, view) {
  try {
    storage?.setItem(
      STORED,
      JSON.stringify(Object.fromEntries(NAMES.map((name) => [name, view[name]]))),
    );
  } catch {
    // A browser that stores nothing.
  }
}

/** The browser's storage, where it may be used. */
export function storage() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
