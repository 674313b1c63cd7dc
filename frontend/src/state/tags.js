/**
 * What the person said of histograms whose names do not say what they are: rules, as text, in the
 * form the server takes as `tags` (docs/cli.md, "Names of histograms"): `variables=W/{v},neither={*}`.
 * The text comes from a link, too, so what the server would refuse is not let in.
 *
 * @import { TagFamily } from "../types.js"
 */

/** The server's own limits. */
const MAX_CHARACTERS = 2000;
const MAX_RULES = 32;

/** @typedef {"variables" | "gradients" | "neither"} Role */

/** @type {Map<string, Role>} */
const ROLES = new Map([
  ["variable", "variables"],
  ["variables", "variables"],
  ["weights", "variables"],
  ["gradient", "gradients"],
  ["gradients", "gradients"],
  ["neither", "neither"],
]);

/**
 * Parts of `text` between commas that no backslash stands before.
 *
 * @param {string} text
 */
function parts(text) {
  return text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? [];
}

/**
 * The rules in `text`; none where the server would not take them.
 *
 * @param {string} text
 * @returns {{role: Role, pattern: string}[]}
 */
export function readRules(text) {
  if (text.length > MAX_CHARACTERS) return [];
  const rules = [];
  for (const part of parts(text)) {
    const at = part.indexOf("=");
    const role = ROLES.get(part.slice(0, Math.max(0, at)).trim());
    const pattern = part.slice(at + 1);
    if (!role || !isPattern(pattern)) return [];
    rules.push({ role, pattern });
  }
  return rules.length <= MAX_RULES ? rules : [];
}

/**
 * One pair of braces, with "v" or a "*" between them.
 *
 * @param {string} pattern
 */
function isPattern(pattern) {
  const match = /^(?:\\[\s\S]|[^\\{}])*\{((?:\\[\s\S]|[^\\{}])+)\}(?:\\[\s\S]|[^\\{}])*$/.exec(
    pattern,
  );
  return match !== null && (match[1] === "v" || match[1].replace(/\\[\s\S]/g, "").includes("*"));
}

/**
 * `text` where it is rules that the server takes; "" for anything else.
 *
 * @param {string} text
 */
export function soundTags(text) {
  return readRules(text).length ? text : "";
}

/**
 * What was said of the histograms of a family: here, else by TensorBoard's own flag.
 *
 * @param {string} tags
 * @param {TagFamily} family
 * @returns {Role | null}
 */
export function answerTo(tags, { pattern, role }) {
  const said = readRules(tags).find((rule) => rule.pattern === pattern);
  return said?.role ?? ROLES.get(role ?? "") ?? null;
}

/**
 * `tags` with another answer about `pattern`. The first rule that fits decides, so those that say
 * more stand before those that say less. An answer for which there is no more room changes nothing.
 *
 * @param {string} tags
 * @param {string} pattern
 * @param {Role | null} role null: none at all.
 */
export function withAnswer(tags, pattern, role) {
  const rules = readRules(tags).filter((rule) => rule.pattern !== pattern);
  if (role) rules.push({ role, pattern });
  rules.sort((a, b) => b.pattern.length - a.pattern.length);
  const text = rules.map((rule) => `${rule.role}=${rule.pattern}`).join(",");
  return readRules(text).length === rules.length ? text : tags;
}

/**
 * Families that the page asks about: nobody has said what they are, and something may be lost by it.
 *
 * @param {TagFamily[]} families
 * @param {string} tags
 * @param {boolean} nothingRead Whether no histogram at all was read.
 */
export function openQuestions(families, tags, nothingRead) {
  return families.filter(
    (family) =>
      family.count > 0 &&
      answerTo(tags, family) === null &&
      (family.why !== "unknown" || nothingRead),
  );
}
