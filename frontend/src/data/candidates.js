/**
 * The curves of scalars that may be the loss, from TensorBoard's own scalars plugin: our server does
 * not read what it does not know the meaning of.
 *
 * @import { ScalarTag } from "../types.js"
 */

/** Rows of the picker: a person looks through no more. */
export const MOST_ASKED = 12;
/** Points of a small curve. */
const POINTS = 60;

/**
 * @typedef {object} Candidate
 * @property {string} tag
 * @property {string} run  TensorBoard's.
 * @property {(number | null)[]} values  Thinned; null where not finite.
 * @property {number | null} first
 * @property {number | null} last
 * @property {string} look  In words.
 */

/**
 * Scalars that a person may have to choose from: those asked about first, each tag once.
 *
 * @param {ScalarTag[]} scalars
 * @returns {ScalarTag[]}
 */
export function askable(scalars) {
  const order = ["told", "read", "part", "asked", "spare"];
  const seen = new Set();
  return scalars
    .filter((one) => {
      const again = seen.has(one.tag);
      seen.add(one.tag);
      return !again && (one.use === "asked" || one.role === null || one.role !== "other");
    })
    .sort((a, b) => order.indexOf(a.use) - order.indexOf(b.use))
    .slice(0, MOST_ASKED);
}

/**
 * @param {typeof fetch} fetcher
 * @param {ScalarTag[]} asked
 * @param {AbortSignal} signal
 * @returns {Promise<Candidate[]>} One that cannot be had comes without a curve.
 */
export function fetchCandidates(fetcher, asked, signal) {
  return Promise.all(
    asked.map(async ({ tag, run }) => {
      const query = new URLSearchParams({ run, tag });
      try {
        const response = await fetcher(`../scalars/scalars?${query}`, {
          signal,
          cache: "no-cache",
        });
        return candidate(tag, run, response.ok ? await response.json() : []);
      } catch (error) {
        if (signal.aborted) throw error;
        return candidate(tag, run, []);
      }
    }),
  );
}

/**
 * @param {string} tag
 * @param {string} run
 * @param {unknown} points  `[wall time, step, value]` each, as TensorBoard gives them.
 * @returns {Candidate}
 */
export function candidate(tag, run, points) {
  const rows = Array.isArray(points) ? points.filter((row) => Array.isArray(row)) : [];
  const values = rows.map(([, , value]) => (Number.isFinite(Number(value)) ? Number(value) : null));
  const every = Math.max(1, Math.ceil(values.length / POINTS));
  const finite = values.filter((value) => value !== null);
  return {
    tag,
    run,
    values: values.filter((_value, index) => index % every === 0 || index === values.length - 1),
    first: finite[0] ?? null,
    last: finite.at(-1) ?? null,
    look: lookOf(
      rows.map(([, step]) => Number(step)),
      values,
    ),
  };
}

/**
 * What a curve looks like: "falls, never negative, every 50 steps".
 *
 * @param {number[]} steps
 * @param {(number | null)[]} values
 */
function lookOf(steps, values) {
  const finite = values.filter((value) => value !== null);
  if (finite.length < 2) return finite.length ? "a single value" : "could not be read";
  const parts = [course(finite)];
  if (finite.every((value) => value >= 0)) {
    parts.push(finite.every((value) => value <= 1) ? "between 0 and 1" : "never negative");
  }
  const gaps = steps.slice(1).map((step, index) => step - steps[index]);
  const gap = gaps.sort((a, b) => a - b)[gaps.length >> 1];
  if (gap > 0) parts.push(gap === 1 ? "every step" : `every ${gap} steps`);
  return parts.join(", ");
}

/** @param {number[]} values */
function course(values) {
  const few = Math.max(1, Math.floor(values.length / 5));
  const mean = (/** @type {number[]} */ part) =>
    part.reduce((sum, one) => sum + one, 0) / part.length;
  const [start, end] = [mean(values.slice(0, few)), mean(values.slice(-few))];
  const middle = mean(values);
  const noise = Math.sqrt(mean(values.map((one) => (one - middle) ** 2)));
  if (noise === 0) return "constant";
  if (Math.abs(end - start) < noise) return "no clear trend";
  return end < start ? "falls" : "rises";
}
