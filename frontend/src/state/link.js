/**
 * The state as part of the address, so that a view can be sent to someone.
 *
 * TensorBoard keeps its own parts of the fragment, joined by "&"; ours are those whose key begins
 * with `p.convergence.`, the form TensorBoard reserves for a plugin. It keeps one part of a key, so
 * a list is one part, as JSON.
 *
 * @import { Selection, View } from "../types.js"
 */
import { STATES } from "../format/severity.js";
import { soundTags } from "./tags.js";

const PREFIX = "p.convergence.";
const MAX_TEXT = 2000;
const MAX_LIST = 20_000;

/**
 * @typedef {object} Linked
 * @property {Partial<Selection>} selection
 * @property {Partial<View>} view
 */

/**
 * How a property of the view is written, and read again; `undefined` for what is not valid.
 *
 * @typedef {{key: string, write: (value: any) => string, read: (text: string) => any}} Part
 */

/** @type {Record<string, Part>} By property of the view, in the order of the address. */
const VIEW = {
  compared: list("with"),
  hiddenRuns: list("hide"),
  page: choice("view", ["diagnosis", "runs", "experiments", "landscape"]),
  runFilter: text("runs"),
  runState: choice("state", STATES),
  runGroups: choice("by", ["cause", "verdict", "folder", "none"]),
  runSort: choice("sort", ["run", "verdict", "cause", "onset", "last", "loss"]),
  runSortDown: {
    key: "down",
    write: (value) => (value ? "1" : ""),
    read: (given) => given === "1",
  },
  x: choice("x", ["step", "relative", "wall"]),
  smoothing: {
    key: "smoothing",
    write: String,
    read: (given) => (Number(given) >= 0 && Number(given) <= 0.99 ? Number(given) : undefined),
  },
  chart: choice("chart", ["loss", "norms", "metrics"]),
  pinned: list("pin"),
  outliers: {
    key: "outliers",
    write: (value) => (value ? "1" : ""),
    read: (given) => (given === "1" ? true : undefined),
  },
  full: choice("full", ["time", "map"]),
  log: {
    key: "log",
    write: (value) => (value === null ? "" : value ? "1" : "0"),
    read: (given) => (given === "1" ? true : given === "0" ? false : undefined),
  },
  hidden: list("series"),
  zoom: {
    key: "zoom",
    write: (value) => (Array.isArray(value) ? value.join(",") : (value ?? "")),
    read: (given) => {
      if (given === "all" || given === "onset" || given === "newest") return given;
      const ends = given.split(",").map(Number);
      return ends.length === 2 && ends.every(Number.isFinite) && ends[0] < ends[1]
        ? ends
        : undefined;
    },
  },
  map: choice("map", ["run", "difference"]),
  order: choice("order", ["depth", "name", "worst", "crossing"]),
  shade: choice("shade", ["health", "value"]),
  filter: text("filter"),
  tab: choice("tab", ["layer", "profile"]),
  tags: { key: "tags", write: String, read: (given) => soundTags(given) || undefined },
};

const SELECTION = /** @type {const} */ (["run", "finding", "group", "metric", "row"]);

/** Keys whose change is a new place, to which "back" returns; the rest is how one looks at it. */
const PLACES = [
  "view",
  "run",
  "with",
  "finding",
  "group",
  "metric",
  "row",
  "chart",
  "map",
  "shade",
  "tab",
];

/**
 * @param {string} hash With or without "#".
 * @returns {Linked} Only what is there and valid.
 */
export function readLink(hash) {
  const given = parts(hash);
  /** @type {Partial<Selection>} */
  const selection = {};
  for (const name of SELECTION) {
    const value = given.get(name);
    if (value !== undefined && value.length <= MAX_TEXT) selection[name] = value;
  }
  const step = Number(given.get("step") ?? Number.NaN);
  if (Number.isFinite(step) && step >= 0) selection.step = step;
  /** @type {any} */
  const view = {};
  for (const [name, { key, read }] of Object.entries(VIEW)) {
    const written = given.get(key);
    const value = written === undefined ? undefined : read(written);
    if (value !== undefined) view[name] = value;
  }
  return { selection, view };
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
  // While the run that a link named is not there, the address goes on naming it.
  const shown = { ...selection, run: selection.missing ?? selection.run };
  for (const name of /** @type {const} */ ([...SELECTION, "step"])) {
    const value = shown[name];
    if (value !== null) own.push(entry(name, String(value)));
  }
  for (const [name, { key, write }] of Object.entries(VIEW)) {
    const value = write(/** @type {any} */ (view)[name]);
    if (value !== write(/** @type {any} */ (defaults)[name])) own.push(entry(key, value));
  }
  return `#${[...kept, ...own].join("&")}`;
}

/**
 * Whether two addresses are of different places: what is looked at, not how.
 *
 * @param {string} before
 * @param {string} after
 */
export function movesOn(before, after) {
  const [old, next] = [parts(before), parts(after)];
  return PLACES.some((key) => old.get(key) !== next.get(key));
}

/**
 * @param {string} key
 * @returns {Part}
 */
function text(key) {
  return { key, write: String, read: (given) => (given.length <= MAX_TEXT ? given : undefined) };
}

/**
 * @param {string} key
 * @param {readonly string[]} allowed
 * @returns {Part}
 */
function choice(key, allowed) {
  return {
    key,
    write: (value) => value ?? "",
    read: (given) => allowed.find((one) => one === given),
  };
}

/**
 * Names. What is too long for an address is left out of it, whole names at a time.
 *
 * @param {string} key
 * @returns {Part}
 */
function list(key) {
  return {
    key,
    write: (/** @type {string[]} */ names) => {
      let size = 2;
      const kept = names.filter((name) => {
        size += name.length + 3;
        return size <= MAX_LIST;
      });
      return JSON.stringify(kept);
    },
    read: (given) => {
      if (given.length > 2 * MAX_LIST) return undefined;
      try {
        const names = JSON.parse(given);
        const sound = Array.isArray(names) && names.every((name) => typeof name === "string");
        return sound ? names : undefined;
      } catch {
        return undefined;
      }
    },
  };
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
