/**
 * Which settings differ between runs: of each run those whose value is not the most common one.
 *
 * @import { RunSummary } from "../types.js"
 */
import { visible } from "../format/names.js";

/** Follow from other settings, or do not change what is learned. */
const BESIDE = new Set([
  "steps_per_epoch",
  "steps_per_execution",
  "jit_compile",
  "validation",
  "schema",
  "writer",
]);

/** Short names, in the order in which settings are told. */
const SHORT = new Map([
  ["optimizer.class", ""],
  ["optimizer.learning_rate", "lr"],
  ["batch_size", "batch"],
  ["loss.name", "loss"],
  ["layers", ""],
  ["kernel_initializer", "kernels"],
  ["bias_initializer", "biases"],
  ["dtype_policy", ""],
  ["epochs", "epochs"],
]);

/**
 * Settings of which runs have more than one value, with the most common one, in the order of telling.
 *
 * @param {RunSummary[]} runs
 * @returns {Map<string, string>}
 */
export function sweptSettings(runs) {
  /** @type {Map<string, Map<string, number>>} */
  const seen = new Map();
  for (const { settings } of runs) {
    for (const [name, text] of Object.entries(settings ?? {})) {
      if (BESIDE.has(name)) continue;
      const counts = seen.get(name) ?? new Map();
      counts.set(text, (counts.get(text) ?? 0) + 1);
      seen.set(name, counts);
    }
  }
  const order = [...SHORT.keys()];
  const place = (/** @type {string} */ name) =>
    (order.indexOf(name) + order.length + 1) % (order.length + 1);
  const swept = [...seen].filter(([, counts]) => counts.size > 1);
  swept.sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1));
  return new Map(
    swept.map(([name, counts]) => [name, [...counts].sort((a, b) => b[1] - a[1])[0][0]]),
  );
}

/**
 * `["lr 0.3", "batch 16"]` of a run; empty where all its settings are the most common ones.
 *
 * @param {Pick<RunSummary, "settings">} run
 * @param {Map<string, string>} swept
 */
export function changedSettings({ settings = {} }, swept) {
  const found = [];
  for (const [name, common] of swept) {
    const text = settings[name];
    if (text === undefined || text === common) continue;
    const short = SHORT.get(name) ?? name.slice(name.lastIndexOf(".") + 1).replaceAll("_", " ");
    found.push(visible(short ? `${short} ${text}` : text));
  }
  return found;
}
