/**
 * The state as part of the address, so that a view can be sent to someone.
 *
 * TensorBoard keeps its own parts of the fragment, joined by "&"; ours are those whose key begins
 * with `p.convergence.`, the form TensorBoard reserves for a plugin.
 *
 * @import { Selection, View } from "../types.js"
 */

const PREFIX = "p.convergence.";
const MAX_TEXT = 2000;

/**
 * @typedef {object} Linked
 * @property {Partial<Selection>} selection
 * @property {Partial<View>} view
 */

/**
 * @param {string} hash With or without "#".
 * @returns {Linked} Only what is there and valid.
 */
export function readLink(hash) {
  const given = parts(hash);
  /** @type {Partial<Selection>} */
  const selection = {};
  for (const name of /** @type {const} */ (["run", "finding", "group", "metric", "row"])) {
    const text = given.get(name);
    if (text !== undefined && text.length <= MAX_TEXT) selection[name] = text;
  }
  const step = Number(given.get("step") ?? Number.NaN);
  if (Number.isFinite(step) && step >= 0) selection.step = step;
  return { selection, view: readView(given) };
}

/** @param {Map<string, string>} given */
function readView(given) {
  /** @type {Partial<View>} */
  const view = {};
  const x = oneOf(given.get("x"), /** @type {const} */ (["step", "relative", "wall"]));
  if (x) view.x = x;
  const order = oneOf(given.get("order"), /** @type {const} */ (["depth", "name", "worst"]));
  if (order) view.order = order;
  const tab = oneOf(given.get("tab"), /** @type {const} */ (["layer", "profile"]));
  if (tab) view.tab = tab;
  const chart = oneOf(given.get("chart"), /** @type {const} */ (["loss", "norms"]));
  if (chart) view.chart = chart;
  const log = oneOf(given.get("log"), /** @type {const} */ (["1", "0"]));
  if (log) view.log = log === "1";
  const smoothing = Number(given.get("smoothing") ?? Number.NaN);
  if (smoothing >= 0 && smoothing <= 0.99) view.smoothing = smoothing;
  const filter = given.get("filter");
  if (filter !== undefined && filter.length <= MAX_TEXT) view.filter = filter;
  return view;
}

/**
 * `hash` with our parts replaced. A value that is the default is left out.
 *
 * @param {string} hash With or without "#".
 * @param {Selection} selection
 * @param {View} view
 * @param {View} defaults
 */
export function writeLink(hash, selection, view, defaults) {
  const kept = hash
    .replace(/^#/, "")
    .split("&")
    .filter((part) => part && !part.startsWith(PREFIX));
  const own = [];
  for (const name of /** @type {const} */ (["run", "finding", "group", "metric", "row", "step"])) {
    const value = selection[name];
    if (value !== null) own.push(entry(name, String(value)));
  }
  for (const name of /** @type {const} */ (["x", "smoothing", "chart", "order", "filter", "tab"])) {
    if (view[name] !== defaults[name]) own.push(entry(name, String(view[name])));
  }
  if (view.log !== null) own.push(entry("log", view.log ? "1" : "0"));
  return `#${[...kept, ...own].join("&")}`;
}

/**
 * @param {string} name
 * @param {string} value
 */
function entry(name, value) {
  // Half a character, which only a damaged name holds, cannot be part of an address.
  const whole = value.replace(/\p{Surrogate}/gu, "\ufffd");
  return `${PREFIX}${name}=${encodeURIComponent(whole)}`;
}

/** @param {string} hash */
function parts(hash) {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at < 0 || !part.startsWith(PREFIX)) continue;
    try {
      found.set(part.slice(PREFIX.length, at), decodeURIComponent(part.slice(at + 1)));
    } catch {
      // Half an escape: a link cut short. The rest of it still counts.
    }
  }
  return found;
}

/**
 * @template {string} T
 * @param {string | undefined} text
 * @param {readonly T[]} allowed
 * @returns {T | undefined}
 */
function oneOf(text, allowed) {
  return allowed.find((one) => one === text);
}
