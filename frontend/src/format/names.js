/**
 * Names of runs, tags and layers as text. They come from event files and are not trusted: control
 * and direction characters are shown as escapes, long names are cut in the middle.
 */

/** Control and format characters (direction, zero width), line and paragraph separators. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
/** More combining marks than any script stacks. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu;

export const MAX_NAME = 160;
export const MAX_TITLE = 1000;

/**
 * `"a\u202eb"` -> `"a\\u202eb"`.
 *
 * @param {string} text
 */
export function visible(text) {
  return text
    .slice(0, 20_000)
    .replace(LONE_SURROGATE, escaped)
    .replace(INVISIBLE, escaped)
    .replace(STACKED_MARKS, "$1…");
}

/** @param {string} character */
function escaped(character) {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
}

/**
 * At most `limit` characters, cut in the middle: both ends of a path matter. Never between the
 * halves of a character.
 *
 * @param {string} text
 * @param {number} limit
 */
export function middleEllipsis(text, limit) {
  const characters = [...text];
  if (characters.length <= limit) return text;
  if (limit < 2) return "…";
  const tail = Math.ceil((limit - 1) / 2);
  const head = limit - 1 - tail;
  return `${characters.slice(0, head).join("")}…${characters.slice(-tail).join("")}`;
}

/**
 * The longest middle-cut form of `text` that is at most `width` wide.
 *
 * @param {string} text
 * @param {number} width
 * @param {(text: string) => number} measure
 */
export function fitName(text, width, measure) {
  const name = middleEllipsis(visible(text), MAX_NAME);
  if (measure(name) <= width) return name;
  let [low, high] = [1, [...name].length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(middleEllipsis(name, middle)) <= width) low = middle;
    else high = middle - 1;
  }
  return middleEllipsis(name, low);
}

/**
 * The path that all names begin with, "/" included: it says nothing about any of them.
 *
 * `["mlp/a/kernel", "mlp/b/kernel"]` -> "mlp/"; "" for fewer than two names.
 *
 * @param {string[]} names
 */
export function commonPath(names) {
  if (names.length < 2) return "";
  let shared = names[0];
  for (const name of names) {
    while (!name.startsWith(shared)) shared = shared.slice(0, -1);
  }
  return shared.slice(0, shared.lastIndexOf("/") + 1);
}

/**
 * For a `title`: the whole name, within reason.
 *
 * @param {string} text
 */
export function fullName(text) {
  return middleEllipsis(visible(text), MAX_TITLE);
}

/**
 * A name with what a slice in it means: `"input[82:91]"` -> "features 82 to 90 of input". The
 * recorder names groups of features so. A single index may be anything's: it is spelled out only
 * where it is `known` to be a feature's.
 *
 * @param {string} text
 * @param {boolean} [known]
 */
export function spelledOut(text, known = false) {
  const slice = /^(.+)\[(\d+)(?::(\d+))?\]$/s.exec(text);
  if (!slice || (slice[3] === undefined && !known)) return text;
  const first = Number(slice[2]);
  const last = slice[3] === undefined ? first : Number(slice[3]) - 1;
  if (first > last) return text;
  return `${first === last ? `feature ${first}` : `features ${first} to ${last}`} of ${slice[1]}`;
}

/**
 * `[784, 128]` -> "784 × 128"; a scalar's shape is "scalar".
 *
 * @param {number[]} shape
 */
export function formatShape(shape) {
  return shape.length ? shape.map((size) => (size < 0 ? "?" : String(size))).join(" × ") : "scalar";
}

/**
 * An id or a statistic's name as words: "activation_dead_fraction" -> "activation dead fraction".
 *
 * @param {string} id
 */
export function words(id) {
  return visible(id).replaceAll(/[_-]+/g, " ");
}

/** With a capital first letter. @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** With a small first letter, unless the word has others: "NaN gradients". @param {string} text */
export function uncapital(text) {
  return text.replace(/^[A-Z](?=[a-z]*\b)/, (letter) => letter.toLowerCase());
}
