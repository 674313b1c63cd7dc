/**
 * One finding: what, where and since when; why we think so; what to try; what would prove us wrong.
 *
 * @import { Evidence, Finding, StrictNumber } from "../types.js"
 * @import { FindingsHandlers, Shown } from "./findings.js"
 */
import { html, nothing } from "lit-html";
import { capital, spelledOut, uncapital, visible } from "../format/names.js";
import {
  counted,
  formatConfidence,
  formatNumber,
  formatPercent,
  looseNumber,
} from "../format/numbers.js";
import { EXPERIMENT_TITLE, isOver, lookOf, OUTCOMES, VERDICT_WORD } from "../format/severity.js";
import { formatStep, formatStepRange, stepNumber } from "../format/steps.js";
import { sign, verdictIcon } from "./icon.js";
import { inlineName } from "./name.js";

/** Layers named on a card; the others are counted. */
const NAMED_LAYERS = 3;

/**
 * @param {Finding} finding
 * @param {Finding[]} explained
 * @param {Shown} how
 * @param {FindingsHandlers} handlers
 * @param {boolean} [nested]
 * @returns {import("lit-html").TemplateResult}
 */
export function findingCard(finding, explained, how, handlers, nested = false) {
  const { selected } = how;
  const { id, kind, severity } = finding;
  const look = lookOf(finding);
  const sort = finding.guess ? `possible ${kind}` : kind;
  const shown = id === selected;
  return html`<article class="finding ${look} ${shown ? "selected" : ""} ${nested ? "nested" : ""}"
    data-testid="finding" data-id=${id} data-kind=${kind} aria-current=${shown ? "true" : "false"} tabindex="-1">
    <div class="finding-head">
      <p class="eyebrow ${look}">
        ${verdictIcon(look)}<span>${isOver(finding) ? `recovered ${sort}` : `${VERDICT_WORD[severity]} ${sort}`}</span>
        ${
          id === how.first
            ? html`<span class="first" data-testid="fix-first" title="Most severe and most likely. Fix it first, then retrain.">fix first</span>`
            : nothing
        }
        ${cameBadge(how.came?.get(id), how.unit)}
        <span class="confidence" title="Confidence in this finding, from the recorded data"
          >${sureness(finding.confidence)}${formatConfidence(finding.confidence)} sure</span>
      </p>
      <h3>${visible(finding.title)}</h3>
      ${testedBadge(finding, handlers)}
      ${goTo(finding, how, handlers)}
    </div>
    ${where(finding, how)} ${how.elsewhere(id)}
    <p class="summary">${visible(finding.summary)}</p>
    ${shown ? body(finding, how, handlers) : nothing}
    ${
      explained.length
        ? html`<details class="explains" ?open=${explained.some((one) => one.id === selected)}>
            <summary title=${counted(explained.length, nounOf(explained))}>Explains: <span class="explained">${namesOf(explained)}</span></summary>
            ${explained.map((one) => findingCard(one, [], how, handlers, true))}
          </details>`
        : nothing
    }
  </article>`;
}

/**
 * Says that the finding came while the page was open.
 *
 * @param {import("../types.js").Step | undefined} step  Last step of the run when it was first there.
 * @param {string} unit
 */
function cameBadge(step, unit) {
  if (step === undefined) return nothing;
  return html`<span class="came" data-testid="came" title="New since the page last read this run"
    >new at ${unit} ${formatStep(step)}</span>`;
}

/**
 * What an experiment said of the finding; pressed, it shows the experiment.
 *
 * @param {Finding} finding
 * @param {FindingsHandlers} handlers
 */
function testedBadge({ tested }, handlers) {
  if (!tested) return nothing;
  const { word, mark } = OUTCOMES[tested.outcome];
  return html`<p class="tested ${tested.outcome}" data-testid="tested" data-outcome=${tested.outcome}>${verdictIcon(mark)}
    <span>${word} by experiment: <button type="button" class="link" title="Show the experiment"
      @click=${() => handlers.setView({ page: "experiments" })}>${EXPERIMENT_TITLE[tested.experiment] ?? "an experiment"}</button></span></p>`;
}

/** Parts of the bar that shows how sure a finding is. */
const PARTS = 5;

/** @param {number} confidence From 0 to 1. */
function sureness(confidence) {
  const full = Math.round(confidence * PARTS);
  return html`<span class="sureness" aria-hidden="true">${Array.from({ length: PARTS }, (_, at) => html`<i class=${at < full ? "full" : ""}></i>`)}</span>`;
}

/** Of the findings that another explains, how many are named; the others are counted. */
const NAMED = 2;

/**
 * `[ReLU units are dead, The model underfits, ...]` -> "ReLU units are dead, the model underfits
 * and 3 more".
 *
 * @param {{title: string}[]} findings  Not empty.
 */
export function namesOf(findings) {
  const names = findings.slice(0, NAMED).map(({ title }, at) => {
    const text = visible(title);
    return at > 0 ? uncapital(text) : text;
  });
  const more = findings.length - names.length;
  if (more > 0) return `${names.join(", ")} and ${more} more`;
  return names.join(" and ");
}

/** @param {Finding[]} findings */
function nounOf(findings) {
  const [{ kind }] = findings;
  return findings.every((one) => one.kind === kind) ? kind : "finding";
}

/**
 * The button that takes every view to where the finding begins; it says where that is.
 *
 * @param {Finding} finding
 * @param {Shown} how
 * @param {FindingsHandlers} handlers
 */
function goTo(finding, how, handlers) {
  const { layer, step } = how.target(finding);
  const at = `${how.unit} ${formatStep(step)}`;
  return html`<div class="actions">
    <button type="button" class="button" data-testid="show" @click=${() => handlers.showFinding(finding.id)}
      title="Move every view to the beginning of this finding">${sign("target")} <span>Go to ${
        layer === null ? nothing : html`${inlineName(layer)}, `
      }${at}</span></button>
  </div>`;
}

/**
 * When a finding held: "from step 9", "at step 55" of what is told of one step alone, "steps 4 to
 * 219" of what is over.
 *
 * @param {Pick<Finding, "first_step" | "last_step" | "recovered_step">} finding
 * @param {string} unit
 */
export function spanOf({ first_step: first, last_step: last, recovered_step: over }, unit) {
  if (over != null) return formatStepRange(first, over, unit);
  return `${first === last ? "at" : "from"} ${unit} ${formatStep(first)}`;
}

/**
 * From which record on the finding could be told, where that is later than what it tells of.
 *
 * @param {Finding} finding
 * @param {string} unit
 */
function reported({ first_step: first, reported_step: told }, unit) {
  if (told == null || stepNumber(told) <= stepNumber(first)) return nothing;
  return html`, <span data-testid="reported" title="The first step whose records are enough to report this finding">found at ${unit} ${formatStep(told)}</span>`;
}

/**
 * @param {Finding} finding
 * @param {Shown} how
 */
function where(finding, { unit, target }) {
  // The layer that the views go to comes first.
  const first = target(finding).layer;
  const layers =
    first !== null && finding.layers.includes(first)
      ? [first, ...finding.layers.filter((one) => one !== first)]
      : finding.layers;
  const named = layers.slice(0, NAMED_LAYERS);
  const more = layers.length - named.length;
  const features = layers.some((layer) => spelledOut(layer) !== layer);
  return html`<p class="where">
    <span>${spanOf(finding, unit)}${reported(finding, unit)}</span>${named.map(
      (layer, index) => html`${index ? ", " : " · "}${inlineName(layer, features)}`,
    )}${more > 0 ? ` and ${more} more` : nothing}
  </p>`;
}

/** @type {Pick<Finding, "advice" | "experiment" | "command">} */
const NOTHING_TO_DO = { advice: [], experiment: null, command: null };

/**
 * @param {Finding} finding
 * @param {Shown} how
 * @param {FindingsHandlers} handlers
 */
function body(finding, how, handlers) {
  const { evidence, falsified_by, references, tested } = finding;
  const { advice, experiment, command } = isOver(finding) ? NOTHING_TO_DO : finding;
  const remedy = isOver(finding) ? null : tested?.remedy;
  return html`
    ${remedy ? how.remedy(remedy) : nothing}
    ${how.before(finding)}
    ${
      advice.length
        ? html`<section class="try"><h4>Try</h4>
            <ol>${advice.map((item) => html`<li>${visible(item)}</li>`)}</ol></section>`
        : nothing
    }
    ${
      tested
        ? html`<section class="try"><h4>${OUTCOMES[tested.outcome].word} by experiment</h4><p>${visible(tested.reason)}</p></section>`
        : nothing
    }
    ${
      experiment
        ? html`<section class="try"><h4>What would decide it</h4><p>${capital(visible(experiment))}</p>
          ${command ? toCopy(visible(command), handlers) : nothing}</section>`
        : nothing
    }
    ${
      evidence.length
        ? html`<details class="fold" open><summary>Evidence</summary>${evidenceTable(finding, how, handlers)}</details>`
        : nothing
    }
    ${list("What would prove this wrong", falsified_by)} ${list("References", references, reference)}`;
}

/**
 * @param {string} command
 * @param {FindingsHandlers} handlers
 */
function toCopy(command, handlers) {
  return html`<p class="command"><code tabindex="0" data-testid="command">${command}</code>
    <button type="button" class="button" @click=${(/** @type {Event} */ event) =>
      handlers.copy(
        command,
        /** @type {HTMLElement} */ (event.currentTarget),
      )}>${sign("copy")} <span>Copy</span></button></p>`;
}

/**
 * @param {string} title
 * @param {string[]} items
 * @param {(item: string) => unknown} write
 */
function list(title, items, write = visible) {
  if (items.length === 0) return nothing;
  return html`<details class="fold"><summary>${title}</summary>
    <ul>${items.map((item) => html`<li>${write(item)}</li>`)}</ul></details>`;
}

/** Where a paper is known by its number: on arXiv, or by its DOI. */
const PAPER = /\b(?:arXiv:(\d{4}\.\d{4,5})|doi:(10\.\d{4,9}\/[\w.()/-]+\w))/i;

/** @param {string} text */
function reference(text) {
  const paper = PAPER.exec(text);
  if (!paper) return visible(text);
  const [found, arxiv, doi] = paper;
  const address = arxiv ? `https://arxiv.org/abs/${arxiv}` : `https://doi.org/${doi}`;
  const end = paper.index + found.length;
  return html`${visible(text.slice(0, paper.index))}<a href=${address} target="_blank"
    rel="noopener noreferrer">${found}</a>${visible(text.slice(end))}`;
}

/**
 * @param {Finding} finding
 * @param {Shown} how
 * @param {FindingsHandlers} handlers
 */
function evidenceTable(finding, how, handlers) {
  const { evidence } = finding;
  const limits = evidence.some((one) => limitText(one));
  return html`<table class="evidence">
    <thead><tr><th scope="col">Observed</th><th scope="col">Value</th>${limits ? html`<th scope="col">Suspect if</th>` : nothing}</tr></thead>
    <tbody>
      ${evidence.map(
        (one) => html`<tr>
          <th scope="row">${visible(one.name)}${place(one, finding, how, handlers)}</th>
          <td>${amount(one.value, one)}</td>
          ${limits ? html`<td class="limit">${limitText(one)}</td>` : nothing}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/**
 * Which values speak for the finding: "more than 0.1"; "" for a plain observation.
 *
 * @param {Pick<Evidence, "limit" | "side" | "unit">} evidence
 */
export function limitText({ limit, side, unit }) {
  if (limit === null) return "";
  const text = amount(limit, { unit });
  return side ? `${side} ${text}` : text;
}

/**
 * @param {StrictNumber} value
 * @param {Pick<Evidence, "unit">} evidence
 */
function amount(value, { unit }) {
  return (unit ? formatPercent : formatNumber)(looseNumber(value));
}

/**
 * Where something was observed and is drawn; pressed, the views go there.
 *
 * @param {Evidence} evidence
 * @param {Finding} finding
 * @param {Shown} how
 * @param {FindingsHandlers} handlers
 */
function place(evidence, finding, { unit, drawn }, handlers) {
  const { layer, step } = evidence;
  const at = drawn(evidence, finding);
  if (!at && layer === null && step === null) return nothing;
  const where =
    at?.view === "curves" ? "in the curves" : at?.metric ? `in the map: ${at.metric.title}` : "";
  return html`<button type="button" class="link at" title=${`Go there${where ? `, ${where}` : ""}`}
    @click=${() => handlers.showEvidence(evidence, finding)}>${layer === null ? nothing : inlineName(layer)}${
      layer !== null && step !== null ? ", " : nothing
    }${step === null ? nothing : `${unit} ${formatStep(step)}`}${
      layer === null && step === null ? where : nothing
    }</button>`;
}
