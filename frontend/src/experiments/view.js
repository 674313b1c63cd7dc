/**
 * The page's view "Experiments": what each experiment found out about one run.
 *
 * @import { Experiment, Kind, Reply, Verdict } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { EXPERIMENT_TITLE, OUTCOMES } from "../format/severity.js";
import { formatStep } from "../format/steps.js";
import { ablation } from "./ablation.js";
import { dataCheck } from "./data_check.js";
import { doctor } from "./doctor.js";
import { gradients } from "./gradients.js";
import { icon } from "./icon.js";
import { commandOf, KINDS } from "./kinds.js";
import { ladder } from "./ladder.js";
import { rangeTest } from "./range_test.js";
import { when } from "./words.js";

/**
 * @typedef {object} Page
 * @property {{run: string, experiments: number}[]} runs
 * @property {string} run
 * @property {Reply | null} reply
 * @property {string} problem  Why there is no reply; "".
 * @property {Partial<Record<Kind, number>>} chosen  Which of several of a kind; 0 is the newest.
 * @property {number | null} cursor  In the chart of the range test.
 * @property {string[]} findings  Ids of the run's findings, to which verdicts lead.
 * @property {string} said
 *
 * @typedef {object} Acts
 * @property {(run: string) => void} choose
 * @property {(kind: Kind, at: number) => void} pick
 * @property {(at: number | null, aloud: string) => void} point
 * @property {(id: string) => void} finding
 * @property {(format: "csv" | "json") => void} save
 * @property {(text: string, button: HTMLElement) => void} copy
 * @property {() => void} again
 */

/** In the order of the page: the widest first. */
const ORDER = /** @type {const} */ ([
  "lr_range_test",
  "overfit_small_sample",
  "ablate",
  "gradient_check",
  "check_data",
]);

/**
 * Experiments of one kind, newest first.
 *
 * @param {Reply | null} reply
 * @param {Kind} kind
 */
export function ofKind(reply, kind) {
  return reply?.experiments.filter((one) => one.kind === kind) ?? [];
}

/**
 * @param {Page} page
 * @param {Acts} acts
 */
export function view(page, acts) {
  const { reply } = page;
  return html`<main class="experiments" data-testid="experiments">
    <p class="hidden-label" aria-live="polite">${page.said}</p>
    <section class="card bar" aria-label="Choice of run">
      ${runSelect(page, acts)}
      <span class="soft">${reply ? tally(reply) : nothing}</span>
      ${
        reply?.experiments.length
          ? html`<span class="saves" role="group" aria-label="Export">${
              /** @type {const} */ (["csv", "json"]).map(
                (format) =>
                  html`<button type="button" class="button" aria-label="Save as ${format.toUpperCase()}" @click=${() => acts.save(format)}>${format.toUpperCase()}</button>`,
              )
            }</span>`
          : nothing
      }
    </section>
    ${body(page, acts)}
  </main>`;
}

/**
 * @param {Page} page
 * @param {Acts} acts
 */
function body(page, acts) {
  const { reply, problem } = page;
  if (problem) {
    return html`<section class="card empty" role="alert"><h2>The experiments could not be loaded</h2>
      <p>${problem}</p><button type="button" class="button" @click=${acts.again}>Try again</button></section>`;
  }
  if (!reply)
    return html`<section class="card empty" role="status">Loading the experiments…</section>`;
  if (reply.experiments.length === 0) return empty(page, acts);
  const first = card(page, "doctor", acts);
  return html`<div class="sheets ${first === nothing ? "" : "with-doctor"}">
    ${first}
    <div class="results">${ORDER.map((kind) => card(page, kind, acts))}${missing(page, acts)}</div>
  </div>`;
}

/** @param {Reply} reply */
function tally({ total, experiments }) {
  const newest = experiments[0] ? when(experiments[0].wall_time) : "";
  const cut = experiments.length < total ? `, the newest ${experiments.length} are shown` : "";
  return `${counted(total, "experiment")}${newest ? `, the last on ${newest}` : ""}${cut}`;
}

/**
 * @param {Page} page
 * @param {Acts} acts
 */
function runSelect({ runs, run }, acts) {
  return html`<label class="pick">Run
    <select data-testid="experiments-run" @change=${(/** @type {Event} */ event) =>
      acts.choose(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${runs.map(
        (one) =>
          html`<option value=${one.run} ?selected=${one.run === run}>${visible(one.run)}${one.experiments ? ` (${one.experiments})` : ""}</option>`,
      )}
    </select></label>`;
}

/**
 * @param {Page} page
 * @param {Kind} kind
 * @param {Acts} acts
 */
function card(page, kind, acts) {
  const several = ofKind(page.reply, kind);
  if (several.length === 0) return nothing;
  const at = Math.min(page.chosen[kind] ?? 0, several.length - 1);
  const one = several[at];
  const title = EXPERIMENT_TITLE[kind];
  return html`<section class="card sheet ${kind}" aria-label=${title} data-testid="experiment" data-kind=${kind}>
    ${
      kind === "doctor"
        ? pick(several, at, kind, acts)
        : html`<header><h2>${title} <span class="soft">${when(one.wall_time)}${place(one)}</span></h2>${pick(several, at, kind, acts)}</header>
    <p class="summary">${visible(one.summary)}</p>`
    }
    ${one.data === null ? html`<p class="soft">The details are left out: this run has too many experiments to send them all.</p>` : content(kind, one, page, acts)}
    ${kind === "doctor" ? nothing : says(one.verdicts, page.findings, acts)}
  </section>`;
}

/** @param {Experiment} one */
function place({ step }) {
  return Number(step) > 0 ? ` · weights of step ${formatStep(step)}` : "";
}

/**
 * @param {Kind} kind
 * @param {Experiment} one
 * @param {Page} page
 * @param {Acts} acts
 */
function content(kind, one, { cursor }, acts) {
  if (kind === "doctor") return doctor(one, acts.copy);
  if (kind === "lr_range_test") return rangeTest(one.data, cursor, acts);
  if (kind === "overfit_small_sample") return ladder(one.data);
  if (kind === "ablate") return ablation(one.data);
  return kind === "check_data" ? dataCheck(one.data) : gradients(one.data);
}

/**
 * @param {Experiment[]} several
 * @param {number} at
 * @param {Kind} kind
 * @param {Acts} acts
 */
function pick(several, at, kind, acts) {
  if (several.length < 2) return nothing;
  return html`<select aria-label="Which of ${counted(several.length, "result")} of this kind" @change=${(
    /** @type {Event} */ event,
  ) => acts.pick(kind, Number(/** @type {HTMLSelectElement} */ (event.target).value))}>
    ${several.map((one, index) => html`<option value=${index} ?selected=${index === at}>${index === 0 ? "Newest" : when(one.wall_time) || `${index} before`}</option>`)}
  </select>`;
}

/**
 * What follows for the findings.
 *
 * @param {Verdict[]} verdicts
 * @param {string[]} findings
 * @param {Acts} acts
 */
function says(verdicts, findings, acts) {
  if (verdicts.length === 0) return nothing;
  const open = verdicts.filter(({ outcome }) => outcome === "undecided");
  return html`<ul class="says" aria-label="What it says about the findings">${verdicts
    .filter(({ outcome }) => outcome !== "undecided")
    .map(
      ({
        finding,
        title,
        outcome,
        reason,
      }) => html`<li class=${outcome} title=${visible(reason)}>${icon(OUTCOMES[outcome].mark)}
      <span>${OUTCOMES[outcome].word}: ${
        findings.includes(finding)
          ? html`<button type="button" class="link" @click=${() => acts.finding(finding)}>${visible(title)}</button>`
          : visible(title)
      }</span></li>`,
    )}${open.length ? html`<li class="soft">${icon("unknown")}<span>Undecided: ${open.map(({ title }) => visible(title)).join("; ")}</span></li>` : nothing}</ul>`;
}

/**
 * Kinds that this run does not have, each with its command.
 *
 * @param {Page} page
 * @param {Acts} acts
 */
function missing(page, acts) {
  const kinds = /** @type {Kind[]} */ (Object.keys(KINDS));
  const lacking = kinds.filter((kind) => ofKind(page.reply, kind).length === 0);
  if (lacking.length === 0) return nothing;
  return html`<section class="card sheet more" aria-label="More experiments"><header><h2>More experiments</h2></header>
    ${commands(lacking, page.run, acts)}</section>`;
}

/**
 * @param {Kind[]} kinds
 * @param {string} run
 * @param {Acts} acts
 */
function commands(kinds, run, acts) {
  return html`<dl class="commands">${kinds.map((kind) => {
    const command = commandOf(kind, run);
    return html`<dt>${EXPERIMENT_TITLE[kind]} <span class="soft">${KINDS[kind].question}</span></dt>
      <dd class="command"><code tabindex="0">${command}</code><button type="button" class="button" aria-label="Copy the command of ${EXPERIMENT_TITLE[kind]}"
        @click=${(/** @type {Event} */ event) => acts.copy(command, /** @type {HTMLElement} */ (event.currentTarget))}>Copy</button></dd>`;
  })}</dl>`;
}

/**
 * @param {Page} page
 * @param {Acts} acts
 */
function empty(page, acts) {
  const others = page.runs.filter((one) => one.experiments > 0);
  return html`<section class="card empty" data-testid="no-experiments">
    <h2>No experiments on this run</h2>
    <p>An experiment changes one thing and trains for a short time. It confirms or refutes what the logs
      can only suggest. It runs your training script (Keras 3 with TensorFlow) unmodified, and leaves
      your model bit-identical. Begin with the doctor:</p>
    ${commands(/** @type {Kind[]} */ (Object.keys(KINDS)), page.run, acts)}
    <p class="soft">Replace LOGDIR with the log directory of TensorBoard. The result then appears here.</p>
    ${
      others.length
        ? html`<p>Runs that have experiments: ${others
            .slice(0, 5)
            .map(
              (one, at) =>
                html`${at ? ", " : nothing}<button type="button" class="link" @click=${() => acts.choose(one.run)}>${visible(one.run)}</button>`,
            )}</p>`
        : nothing
    }
  </section>`;
}
