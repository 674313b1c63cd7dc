/**
 * The verdict on a run without a finding that needs action: nothing found, not decided, or too early;
 * how much of it could be decided, and what would decide the rest.
 *
 * @import { OpenGroup, Suspicion } from "../model/coverage.js"
 * @import { FindingsReply, RunSummary } from "../types.js"
 * @import { FindingsHandlers } from "./findings.js"
 */
import { html, nothing } from "lit-html";
import { visible, words } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { STATE_MARK, STATE_WORD } from "../format/severity.js";
import { stepNumber } from "../format/steps.js";
import { NEED_WORD, openGroups, suspicions } from "../model/coverage.js";
import { verdictIcon } from "./icon.js";
import { snippet } from "./states.js";

/** Names of checks that are said before the rest is counted. */
const NAMED = 5;

/**
 * @param {FindingsReply} reply
 * @param {RunSummary} summary
 * @param {import("../types.js").Series[]} series
 * @param {() => void} showExperiments
 */
export function verdictCard(reply, summary, series, showExperiments) {
  const suspected = suspicions(
    series,
    reply.not_evaluated.map(({ id }) => id),
  );
  const verdict = reply.verdict ?? summary.verdict;
  const state = verdict?.state ?? "not-decided";
  const mark = STATE_MARK[state];
  const open = reply.not_evaluated.length;
  const decided = verdict?.decided ?? reply.evaluated;
  const all = verdict?.applicable || decided + open;
  return html`<article class="finding verdict ${mark}" data-testid="no-finding" data-state=${state}>
    <div class="finding-head">
      <p class="eyebrow ${mark}">${verdictIcon(mark)}<span>${STATE_WORD[state]}</span></p>
      <h3>${title(state, all - decided, stepNumber(reply.last_step) < 0 ? 0 : all)}</h3>
    </div>
    ${reply.loss_summary ? html`<p class="summary" data-testid="loss-summary">${visible(reply.loss_summary)}</p>` : nothing}
    ${verdict?.why ? html`<p class="summary" data-testid="why">${visible(unsaid(verdict.why, reply.loss_summary))}</p>` : nothing}
    ${
      summary.experiments
        ? html`<p class="summary">This run has <button type="button" class="link" data-testid="see-experiments"
            @click=${showExperiments}>results of ${counted(summary.experiments, "experiment")}</button>.</p>`
        : nothing
    }
    ${suspected.length ? suspicion(suspected) : nothing}
    ${all > 0 && stepNumber(reply.last_step) >= 0 ? coverage(reply, decided, all) : nothing}
    ${
      state === "nothing-found"
        ? nothing
        : html`<p class="summary"><strong>Undecided is not healthy.</strong> A run is
            “nothing found” only if its loss was checked, and its validation loss or its gradients
            as well.</p>`
    }
  </article>`;
}

/**
 * The reason of the verdict without a first sentence that the line above begins with as well.
 *
 * @param {string} why
 * @param {string} said
 */
export function unsaid(why, said) {
  const end = why.indexOf(". ") + 1;
  return end > 0 && said.startsWith(why.slice(0, end - 1)) ? why.slice(end + 1) : why;
}

/**
 * @param {string} state
 * @param {number} open
 * @param {number} all
 */
function title(state, open, all) {
  if (all === 0) return "Not enough data for a verdict";
  if (open === 0) return `No finding in ${counted(all, "check")}`;
  // "Nothing found" in large letters reads as good news, which only that verdict is.
  if (state === "too-early") return `${open} of ${counted(all, "check")} cannot run yet`;
  if (state === "not-decided") return `${open} of ${counted(all, "check")} could not run`;
  return `Nothing found, ${open} of ${counted(all, "check")} undecided`;
}

/** @param {Suspicion[]} suspected */
function suspicion(suspected) {
  return html`<section class="part" data-testid="suspected">
    <h4>What the curves suggest</h4>
    <ul class="plain">${suspected.map(
      ({ said, ids }) =>
        html`<li>${said} <span class="soft">Not decided: ${list(ids)}.</span></li>`,
    )}</ul>
  </section>`;
}

/** @param {string[]} ids */
function list(ids) {
  const named = ids.slice(0, NAMED).map(words).join(", ");
  return ids.length > NAMED ? `${named} and ${ids.length - NAMED} more` : named;
}

/**
 * @param {FindingsReply} reply
 * @param {number} decided
 * @param {number} all
 */
function coverage(reply, decided, all) {
  const groups = openGroups(reply.not_evaluated);
  return html`<section class="part" data-testid="coverage">
    <h4>Coverage <span class="soft">${decided} of ${counted(all, "check")} decided</span></h4>
    ${bar(decided, groups)}
    <dl class="needs">
      <div><dt class="decided">${decided}</dt><dd>decided, no problem found</dd></div>
      ${groups.map(
        ({ need, ids }) => html`<div><dt>${ids.length}</dt>
          <dd>need${ids.length === 1 ? "s" : ""} ${NEED_WORD[need]}
            <span class="soft check-names">${list(ids)}</span></dd></div>`,
      )}
    </dl>
  </section>`;
}

/**
 * A cell a check: solid where it was decided, dotted where not, in groups by what they need.
 *
 * @param {number} decided
 * @param {OpenGroup[]} groups
 */
function bar(decided, groups) {
  const cells = (/** @type {number} */ count, /** @type {string} */ kind) =>
    html`<span class="cells" .style=${`flex:${count}`}>${Array.from({ length: count }, () => html`<i class=${kind}></i>`)}</span>`;
  return html`<div class="coverage-bar" aria-hidden="true">
    ${decided > 0 ? cells(decided, "decided") : nothing}${groups.map(({ ids }) => cells(ids.length, "open"))}
  </div>`;
}

/** Needs that the lines to add do not meet: time, or data of another kind. */
const BEYOND = new Set(["records", "other"]);

/** @param {FindingsReply["not_evaluated"]} open */
function decides(open) {
  const met = openGroups(open).filter(({ need }) => !BEYOND.has(need));
  const count = met.reduce((sum, { ids }) => sum + ids.length, 0);
  return `With these lines, up to ${count} of the ${counted(open.length, "open check")} can be decided.`;
}

/**
 * The lines that record what open checks need, for any run.
 *
 * @param {FindingsReply} reply
 * @param {FindingsHandlers} handlers
 * @param {boolean} unfolded
 */
export function openChecks({ not_evaluated: open, recipes }, { copy }, unfolded) {
  if (open.length === 0) return nothing;
  return html`<details class="aside" data-testid="not-evaluated" ?open=${unfolded}>
    <summary>How to decide ${open.length === 1 ? "the open check" : `the ${open.length} open checks`}</summary>
    ${recipes.length ? html`<p>${decides(open)}</p>` : nothing}
    ${recipes.map(
      ({ title: with_, lines }) => html`<h4 class="recipe">Add these lines: ${visible(with_)}</h4>
        ${snippet(copy, lines)}`,
    )}
    <dl>
      ${open.map(
        ({ id, needs }) => html`<dt>${words(id)}</dt>
          <dd>needs ${needs.map((need) => need.split("|").map(words).join(" or ")).join(", ")}</dd>`,
      )}
    </dl>
  </details>`;
}
