/**
 * The filter of runs: a regular expression without regard to case, as TensorBoard's own. A link may
 * carry one, so its cost is bounded: a pattern that could take exponential time is refused, and
 * matching stops when its time is used up.
 */

/** @typedef {{matches: (name: string) => boolean, error: string}} RunFilter */

const MAX_CHARACTERS = 200;
/** Of a name, what is searched. */
const MAX_NAME = 300;
/** Repetitions without an upper bound: each may multiply the time by the length of a name. */
const MAX_REPETITIONS = 5;
/** Ways in which optional parts and alternatives may be combined: each may have to be tried. */
const MAX_WAYS = 4096;
const MAX_MILLISECONDS = 300;

/**
 * @param {string} pattern
 * @param {() => number} [clock] Milliseconds.
 * @returns {RunFilter} With an error it matches every run, so that none is hidden by a typing error.
 */
export function runFilter(pattern, clock = () => performance.now()) {
  const error = problem(pattern);
  if (error) return { matches: () => true, error };
  if (pattern === "") return { matches: () => true, error: "" };
  const expression = new RegExp(pattern, "i");
  const end = clock() + MAX_MILLISECONDS;
  /** @type {RunFilter} */
  const filter = {
    matches(name) {
      if (filter.error) return true;
      if (clock() > end) filter.error = "This pattern takes too long. Write a simpler one.";
      return expression.test(name.slice(0, MAX_NAME));
    },
    error: "",
  };
  return filter;
}

/**
 * Why a pattern cannot be used; "" where it can.
 *
 * @param {string} pattern
 */
function problem(pattern) {
  if (pattern.length > MAX_CHARACTERS) return `At most ${MAX_CHARACTERS} characters.`;
  try {
    new RegExp(pattern, "i");
  } catch {
    return "Not a valid regular expression.";
  }
  const { nested, unbounded, ways } = repetitions(pattern);
  if (nested) return "A repetition inside a repetition, such as (a+)+, is not supported.";
  if (unbounded > MAX_REPETITIONS) return `At most ${MAX_REPETITIONS} repetitions.`;
  if (ways > MAX_WAYS) return "Too many optional parts or alternatives.";
  if (/\\(\d|k<)/.test(pattern)) return "References such as \\1 are not supported.";
  return "";
}

/** @typedef {{unbounded: number, nested: boolean, ways: number}} Cost */

const TOKENS = /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|<\w+>)|[()|]|[*+?]|\{\d+,?\d*\}|./gsu;
const REPEATS = /^(?:[*+]|\{\d+,\d*\}|\{\d{2,}\})$/;
const FEW_TIMES = /^\{\d\}$/;

/**
 * How often a valid pattern repeats without bound, whether anything that varies is repeated (a
 * repetition, an optional part, or alternatives), and in how many ways the other choices combine.
 *
 * @param {string} pattern
 * @returns {Cost}
 */
function repetitions(pattern) {
  const cost = { unbounded: 0, nested: false, ways: 1 };
  /** Of each open group whether it varies, and its alternatives. */
  const open = [{ varies: false, alternatives: 1 }];
  /** Whether the group just closed varies. */
  let closed = false;
  /** Whether the token before is a repetition: a "?" behind it makes nothing optional. */
  let lazy = false;
  for (const token of pattern.match(TOKENS) ?? []) {
    const repeats = REPEATS.test(token);
    if (repeats || FEW_TIMES.test(token)) cost.nested ||= closed;
    if (repeats) cost.unbounded += 1;
    closed = false;
    if (token.startsWith("(")) open.push({ varies: false, alternatives: 1 });
    else if (token === ")") closed = close(open, cost);
    else choose(open, cost, token, repeats, lazy);
    lazy = repeats;
  }
  return cost;
}

/** @typedef {{varies: boolean, alternatives: number}} Group */

/**
 * @param {Group[]} open  The last one is closed.
 * @param {Cost} cost
 * @returns {boolean} Whether it varies.
 */
function close(open, cost) {
  const { varies, alternatives } = open.pop() ?? { varies: false, alternatives: 1 };
  cost.ways *= alternatives;
  if (varies) open[open.length - 1].varies = true;
  return varies;
}

/**
 * @param {Group[]} open
 * @param {Cost} cost
 * @param {string} token  Neither opens nor closes a group.
 * @param {boolean} repeats
 * @param {boolean} lazy
 */
function choose(open, cost, token, repeats, lazy) {
  const group = open[open.length - 1];
  const optional = token === "?" && !lazy;
  if (optional) cost.ways *= 2;
  if (token === "|") group.alternatives += 1;
  // Alternatives outside all groups are tried one after the other: they multiply nothing.
  if (repeats || optional || (token === "|" && open.length > 1)) group.varies = true;
}
