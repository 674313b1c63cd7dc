/**
 * The health line of a run, as the server sends it: a letter for each stretch of steps (docs/http_api.md,
 * `runs`). Equal letters beside each other are one piece.
 */

/** @type {Readonly<Record<string, string>>} Name of the color, by letter. */
const LEVELS = {
  0: "within",
  1: "above-1",
  2: "above-2",
  3: "above-3",
  4: "above-4",
  a: "below-1",
  b: "below-2",
  c: "below-3",
  d: "below-4",
  n: "nan",
  i: "nan",
};

/**
 * @typedef {object} Piece
 * @property {number} from  From 0 to 1, of the run.
 * @property {number} to
 * @property {string} level  "none" where nothing is known.
 */

/**
 * @param {string} line
 * @returns {Piece[]} Empty for an empty line.
 */
export function pieces(line) {
  /** @type {Piece[]} */
  const found = [];
  for (let at = 0; at < line.length; at += 1) {
    const level = LEVELS[line[at]] ?? "none";
    const last = found.at(-1);
    if (last?.level === level) last.to = (at + 1) / line.length;
    else found.push({ from: at / line.length, to: (at + 1) / line.length, level });
  }
  return found;
}

/** @type {Readonly<Record<string, string>>} */
const WORDS = {
  none: "not recorded",
  within: "within limits",
  "above-1": "up to 2 times above a limit",
  "above-2": "up to 10 times above a limit",
  "above-3": "up to 100 times above a limit",
  "above-4": "more than 100 times above a limit",
  "below-1": "up to 2 times below a limit",
  "below-2": "up to 10 times below a limit",
  "below-3": "up to 100 times below a limit",
  "below-4": "more than 100 times below a limit",
  nan: "NaN",
};

/** The worst first. */
const ORDER = [
  "nan",
  "above-4",
  "below-4",
  "above-3",
  "below-3",
  "above-2",
  "below-2",
  "above-1",
  "below-1",
  "within",
  "none",
];

/**
 * A line in words, for screen readers: its worst level and from which step on it is reached.
 *
 * @param {Piece[]} of
 * @param {number} last  Last step of the run.
 */
export function lineWords(of, last) {
  const worst = ORDER.find((level) => of.some((piece) => piece.level === level));
  if (!worst) return "no steps";
  const first = of.find((piece) => piece.level === worst);
  const step = Math.round((first?.from ?? 0) * last);
  return worst === "none" || worst === "within"
    ? WORDS[worst]
    : `${WORDS[worst]} from about step ${step} on`;
}
