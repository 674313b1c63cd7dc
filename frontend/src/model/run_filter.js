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
  const { nested, unbounded } = repetitions(pattern);
  if (nested) return "A repetition inside a repetition, such as (a+)+, is not supported.";
  if (unbounded > MAX_REPETITIONS) return `At most ${MAX_REPETITIONS} repetitions.`;
  if (/\\(\d|k<)/.test(pattern)) return "References such as \\1 are not supported.";
  return "";
}

/**
 * How often a valid pattern repeats without bound, and whether anything that varies is repeated:
 * a repetition, or alternatives.
 *
 * @param {string} pattern
 */
function repetitions(pattern) {
  let unbounded = 0;
  let nested = false;
  /** Whether each open group varies; the last one belongs to the group just closed. */
  const open = [false];
  let closed = false;
  const tokens =
    pattern.match(
      /\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!]|<\w+>)|[()|]|[*+?]|\{\d+,?\d*\}|./gsu,
    ) ?? [];
  for (const token of tokens) {
    const repeats = /^(?:[*+]|\{\d+,\d*\}|\{\d{2,}\})$/.test(token);
    if (token.startsWith("(")) {
      open.push(false);
      closed = false;
    } else if (token === ")") {
      closed = open.pop() ?? false;
      if (closed) open[open.length - 1] = true;
    } else if (repeats) {
      unbounded += 1;
      nested ||= closed;
      open[open.length - 1] = true;
      closed = false;
    } else {
      if (token === "|" && open.length > 1) open[open.length - 1] = true;
      closed = false;
    }
  }
  return { nested, unbounded };
}
