/**
 * What the person said of summaries whose names do not say what they are: rules, as text, in the form
 * the server takes as `tags` (docs/cli.md): `variables=W/{v},neither={*}` of histograms,
 * `loss=objective/total,validation=objective/holdout` of scalars.
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

/** @typedef {"loss" | "validation" | "rate" | "reward" | "no_scalar" | "training"} ScalarRole */

/** @type {Map<string, ScalarRole>} */
const SCALAR_ROLES = new Map([
  ["loss", "loss"],
  ["validation", "validation"],
  ["val", "validation"],
  ["validation_loss", "validation"],
  ["val_loss", "validation"],
  ["rate", "rate"],
  ["learning_rate", "rate"],
  ["lr", "rate"],
  ["reward", "reward"],
  ["return", "reward"],
  ["no_scalar", "no_scalar"],
  ["training", "training"],
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
 * All rules in `text`; none where the server would not take them.
 *
 * @param {string} text
 * @returns {{role: Role | ScalarRole, pattern: string}[]}
 */
function allRules(text) {
  if (text.length > MAX_CHARACTERS) return [];
  const rules = [];
  for (const part of parts(text)) {
    const at = part.indexOf("=");
    const word = part.slice(0, Math.max(0, at)).trim();
    const [role, pattern] = [ROLES.get(word), part.slice(at + 1)];
    const scalar = SCALAR_ROLES.get(word);
    if (scalar && pattern.trim() !== "") rules.push({ role: scalar, pattern });
    else if (role && isPattern(pattern)) rules.push({ role, pattern });
    else return [];
  }
  return rules.length <= MAX_RULES ? rules : [];
}

/**
 * The rules about histograms in `text`.
 *
 * @param {string} text
 * @returns {{role: Role, pattern: string}[]}
 */
export function readRules(text) {
  return allRules(text).flatMap(({ role, pattern }) =>
    role === "variables" || role === "gradients" || role === "neither" ? [{ role, pattern }] : [],
  );
}

/**
 * What was said of scalars: role by tag. Tags of a sum all have its role.
 *
 * @param {string} text
 * @returns {Map<string, ScalarRole>}
 */
export function scalarAnswers(text) {
  /** @type {Map<string, ScalarRole>} */
  const found = new Map();
  for (const { role, pattern } of allRules(text)) {
    if (ROLES.has(role) || role === "training") continue;
    const tags = pattern.match(/(?:\\[\s\S]|[^+\\])+/g) ?? [];
    for (const tag of tags) {
      found.set(tag.replace(/\\([\s\S])/g, "$1"), /** @type {ScalarRole} */ (role));
    }
  }
  return found;
}

/**
 * `tags` with other answers about scalars; several losses are a sum. An answer for which there is no
 * more room changes nothing.
 *
 * @param {string} tags
 * @param {Map<string, ScalarRole>} answers
 */
export function withScalars(tags, answers) {
  const kept = allRules(tags).filter(({ role }) => ROLES.has(role) || role === "training");
  const rules = kept.map(({ role, pattern }) => `${role}=${pattern}`);
  for (const role of /** @type {const} */ (["loss", "validation", "rate", "reward"])) {
    const named = [...answers].filter(([, said]) => said === role).map(([tag]) => escaped(tag));
    if (named.length) rules.push(`${role}=${named.join("+")}`);
  }
  for (const [tag, role] of answers)
    if (role === "no_scalar") rules.push(`no_scalar=${escaped(tag)}`);
  const text = rules.join(",");
  return allRules(text).length === rules.length ? text : tags;
}

/** @param {string} tag */
function escaped(tag) {
  return tag.replace(/[\\,{}+]/g, "\\$&");
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
  return allRules(text).length ? text : "";
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
  const said = allRules(tags);
  const scalars = said.filter((rule) => !ROLES.has(rule.role));
  const rules = readRules(tags).filter((rule) => rule.pattern !== pattern);
  if (role) rules.push({ role, pattern });
  rules.sort((a, b) => b.pattern.length - a.pattern.length);
  const all = [...rules, ...scalars];
  const text = all.map((rule) => `${rule.role}=${rule.pattern}`).join(",");
  return allRules(text).length === all.length ? text : tags;
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
