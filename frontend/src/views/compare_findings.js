/**
 * The findings of two runs: those that only one has first, those of both last.
 *
 * @import { CompareReply, FindingChange, Verdict } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { VERDICT_WORD } from "../format/severity.js";
import { formatStep, stepWord } from "../format/steps.js";
import { verdictIcon } from "./icon.js";
import { name } from "./name.js";

/**
 * @param {CompareReply} reply
 * @param {{run: string, other: {run: string}, color: (run: string) => string}} of
 */
export function findingChanges({ findings, shared, axes }, { run, other, color }) {
  const sides = [
    { of: run, letter: "A", list: findings.filter((one) => has(one.first) && !has(one.second)) },
    {
      of: other.run,
      letter: "B",
      list: findings.filter((one) => has(one.second) && !has(one.first)),
    },
  ];
  const unequal = findings.filter((one) => has(one.first) && has(one.second));
  if (findings.length + shared.length === 0) return html`<p class="soft">None in either.</p>`;
  return html`${sides.map(({ of, letter, list }) =>
    list.length
      ? html`<h4>only in <i class="dot" .style=${`background:${color(of)}`}></i>${letter} ${name(of)}</h4>
          <ul class="changes">${list.map((one) => change(one, axes))}</ul>`
      : nothing,
  )}
  ${
    unequal.length
      ? html`<h4>in both, not equally severe</h4><ul class="changes">${unequal.map((one) => change(one, axes))}</ul>`
      : nothing
  }
  ${
    shared.length
      ? html`<details ?open=${findings.length === 0}><summary>${counted(shared.length, "finding")} in both</summary>
          <ul class="changes">${shared.map((one) => change(one, axes))}</ul></details>`
      : nothing
  }`;
}

/** @param {FindingChange["first"]} severity */
function has(severity) {
  return severity !== "none" && severity !== "not evaluated";
}

/**
 * @param {FindingChange} one
 * @param {CompareReply["axes"]} axes
 */
function change(one, axes) {
  const [first, second] = [one.first, one.second];
  const told = has(first) ? first : second;
  const verdict = /** @type {Verdict} */ (told);
  const missing = first === "not evaluated" || second === "not evaluated";
  const word =
    has(first) && has(second) && first !== second
      ? `${VERDICT_WORD[/** @type {Verdict} */ (first)]} and ${VERDICT_WORD[/** @type {Verdict} */ (second)]}`
      : VERDICT_WORD[verdict];
  const steps = [one.first_step, one.second_step].flatMap((step, side) =>
    step === null ? [] : [`${stepWord(axes[side])} ${formatStep(step)}`],
  );
  return html`<li class=${verdict}>${verdictIcon(verdict)}<span>${visible(one.title)}
    <span class="soft">${word}, from ${steps.join(" and ")}${
      missing ? "; the other run lacks the data for this check" : nothing
    }</span></span></li>`;
}
