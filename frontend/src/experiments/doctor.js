/**
 * The doctor's verdict: the cause, the change, what it was worth, and what was excluded.
 *
 * @import { Candidate, Experiment, Prescription, Proof } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { capital, visible } from "../format/names.js";
import { counted, formatNumber } from "../format/numbers.js";
import { diffOf } from "./diff.js";
import { icon } from "./icon.js";
import { amount, mean, measureName, spread } from "./words.js";

/**
 * @param {Experiment} experiment
 * @param {(text: string, button: HTMLElement) => void} copy
 */
export function doctor({ summary, verdicts, data }, copy) {
  const found = /** @type {Prescription} */ (data);
  const proof = found.proofs.find((one) => one.chosen) ?? found.proofs.find((one) => one.proven);
  const causes = verdicts.filter(({ outcome }) => outcome === "confirmed");
  const excluded = verdicts.filter(({ outcome }) => outcome === "refuted");
  const tries = found.candidates.some(({ value }) => value !== null);
  const none = tries ? "No change is proven to help" : "No change could be tried";
  const title = causes[0]?.title ?? (proof ? `Train ${proof.title}` : none);
  return html`<div class="verdict-head ${proof ? "found" : ""}">
      <p class="eyebrow">${icon(proof ? "critical" : "unknown")} Doctor’s verdict${proof ? ": cause and proven change" : ""}</p>
      <h2>${visible(title)}</h2>
    </div>
    <p>${visible(summary)}</p>
    ${proof ? remedy(found, proof, copy) : nothing}
    ${proof ? beforeAfter(found, proof) : nothing}
    ${reasons(
      causes.map(({ title, reason }) => ({ title, reason })),
      "Evidence",
    )}
    ${reasons(
      excluded.map(({ title, reason }) => ({ title, reason })),
      "Ruled out",
    )}
    ${tried(found)}
    <p class="note">${[
      counted(found.candidates.filter(({ value }) => value !== null).length, "short training"),
      counted(
        found.proofs.reduce((sum, one) => sum + one.before.length + one.after.length, 0),
        "full training",
      ),
      ...(found.seconds === null ? [] : [`${formatNumber(found.seconds)} s`]),
    ].join(" · ")}</p>`;
}

/**
 * The change as lines of code: a diff of the script where it is known.
 *
 * @param {Prescription} found
 * @param {Proof} proof
 * @param {(text: string, button: HTMLElement) => void} copy
 */
function remedy({ diff }, { lines }, copy) {
  const text = diff || lines.map((line) => `+ ${line}`).join("\n");
  if (!text) return nothing;
  const copied = diff || lines.join("\n");
  return html`<section class="part"><h3>The change 
      <button type="button" class="button" @click=${(/** @type {Event} */ event) =>
        copy(copied, /** @type {HTMLElement} */ (event.currentTarget))}>Copy</button></h3>
    ${diffOf(text)}</section>`;
}

/**
 * @param {Prescription} found
 * @param {Proof} proof
 */
function beforeAfter({ measure }, { before, after, steps }) {
  return html`<section class="part"><h3>Before and after
      <span class="soft">${counted(after.length, "seed")}, ${counted(steps ?? 0, "step")} each</span></h3>
    <table class="before-after" data-testid="before-after">
      <thead><tr><th scope="col"><span class="hidden-label">What</span></th><th scope="col">Unchanged</th><th scope="col">Changed</th></tr></thead>
      <tbody>
        <tr><th scope="row">Mean ${measureName(measure)}</th><td>${amount(mean(before))}</td><td class="good">${amount(mean(after))}</td></tr>
        <tr><th scope="row">Lowest to highest</th><td>${spread(before)}</td><td>${spread(after)}</td></tr>
      </tbody>
    </table></section>`;
}

/**
 * @param {{title: string, reason: string}[]} items
 * @param {string} title
 */
function reasons(items, title) {
  if (items.length === 0) return nothing;
  return html`<section class="part"><h3>${title}</h3>
    <ul>${items.map((one) => html`<li><strong>${visible(one.title)}</strong>: ${visible(one.reason)}</li>`)}</ul></section>`;
}

/** @param {Prescription} found */
function tried({ candidates, measure, unchanged, short_steps: steps }) {
  const done = candidates.filter(({ value }) => value !== null);
  const left = candidates.filter((one) => one.not_tried);
  if (done.length + left.length === 0) return nothing;
  // Of losses the lowest is the best.
  const sign = measure === "loss" ? 1 : -1;
  done.sort((a, b) => sign * (Number(a.value) - Number(b.value)));
  return html`<details class="fold"><summary>All trials</summary>
    <table class="tried">
      <thead><tr><th scope="col">Trained for ${counted(steps ?? 0, "step")}</th><th scope="col">${capital(measureName(measure))}</th></tr></thead>
      <tbody>${
        // Without any training that was made, null says nothing of the unchanged program.
        done.length === 0 && unchanged === null
          ? nothing
          : html`<tr><th scope="row">Unchanged</th><td>${amount(unchanged)}</td></tr>`
      }
      ${done.map((one) => html`<tr><th scope="row">${capital(visible(one.title))}${because(one)}</th><td>${amount(one.value)}</td></tr>`)}</tbody>
    </table>
    ${left.length ? html`<h3>Not tried</h3><ul>${left.map((one) => html`<li>${capital(visible(one.title))}: <span class="soft">${visible(one.not_tried)}</span></li>`)}</ul>` : nothing}
  </details>`;
}

/** @param {Candidate} one */
function because({ because }) {
  if (because.length === 0) return nothing;
  return html` <span class="soft">because of ${because.map((id) => visible(id).replaceAll("-", " ")).join(", ")}</span>`;
}
