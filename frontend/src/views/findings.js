/**
 * The findings of one run: causes first, the symptoms each explains folded beneath it.
 *
 * @import { CompareReply, Finding, FindingsReply, RunSummary } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { repeat } from "lit-html/directives/repeat.js";
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { isOver } from "../format/severity.js";
import { formatStep, stepNumber, stepWord } from "../format/steps.js";
import { withLater } from "../host/later.js";
import { exportMenu } from "./export_menu.js";
import { findingCard, namesOf, spanOf } from "./finding_card.js";
import { verdictIcon } from "./icon.js";
import { inlineName, name } from "./name.js";

/**
 * @typedef {object} FindingsHandlers
 * @property {() => void} redraw
 * @property {(id: string) => void} showFinding
 * @property {(said: string) => void} say  To screen readers.
 * @property {(change: Partial<import("../types.js").View>) => void} setView
 * @property {(evidence: import("../types.js").Evidence, finding: Finding) => void} showEvidence
 * @property {import("./export_menu.js").ExportHandlers["exportView"]} exportView
 * @property {import("./states.js").Copy} copy
 */

/**
 * @typedef {object} Shown
 * @property {string | null} selected
 * @property {string | null} first  Of several causes the one to begin with.
 * @property {(id: string) => unknown} elsewhere  Whether the run compared has it as well.
 * @property {string} unit  What a step is called.
 * @property {ReadonlyMap<string, import("../types.js").Step> | null} came  Which findings came while the
 *   page was open, and at which step.
 * @property {(finding: Finding) => unknown} before  What changed just before it.
 * @property {(remedy: string) => unknown} remedy  The lines of code that were proven to help.
 * @property {(finding: Finding) => import("../state/target.js").Target} target  Where "Go to" leads.
 * @property {(evidence: import("../types.js").Evidence, finding: Finding) => import("../state/evidence.js").Drawn | null} drawn
 *
 * @typedef {object} FindingsData
 * @property {FindingsReply} reply
 * @property {RunSummary} summary
 * @property {string} color
 * @property {string} mark  Shape of the run's dot.
 * @property {string | null} selected
 * @property {CompareReply | null} compared  With another run.
 * @property {import("../state/watched.js").Watched | null} watched  What came and went meanwhile.
 * @property {(finding: Finding, unit: string) => unknown} before  What changed just before a finding.
 * @property {Shown["target"]} target
 * @property {Shown["drawn"]} drawn
 * @property {import("../types.js").Series[]} series
 */

/**
 * @param {FindingsData} data
 * @param {FindingsHandlers} handlers
 */
export function findingsPanel(data, handlers) {
  const { redraw } = handlers;
  const { reply, summary, color, mark, selected, compared, before, target, drawn, series } = data;
  const { watched } = data;
  const state = reply.verdict?.state ?? "not-decided";
  const { heads, explained } = tree(reply.findings);
  const [over, standing] = [heads.filter(isOver), heads.filter((finding) => !isOver(finding))];
  const how = {
    selected,
    first: reply.fix_first,
    elsewhere: (/** @type {string} */ id) => elsewhere(id, compared),
    unit: stepWord(reply.axis),
    came: watched?.came ?? null,
    before: (/** @type {Finding} */ finding) => before(finding, stepWord(reply.axis)),
    remedy: (/** @type {string} */ text) =>
      withLater(({ remedySection }) => remedySection(text, handlers.copy), redraw, nothing),
    target,
    drawn,
  };
  const cards = (/** @type {Finding[]} */ of) =>
    repeat(
      of,
      (finding) => `${reply.run} ${finding.id}`,
      (finding) => findingCard(finding, explained.get(finding.id) ?? [], how, handlers),
    );
  return html`
    ${heading(reply, summary, { color, mark }, handlers)}
    ${others(standing, explained, selected, handlers)}
    <div class="finding-list">
      ${
        state === "sick"
          ? nothing
          : withLater(
              ({ verdictCard }) =>
                verdictCard(reply, summary, series, () =>
                  handlers.setView({ page: "experiments" }),
                ),
              redraw,
              nothing,
            )
      } ${cards(standing)}
      ${
        over.length
          ? html`<details class="over" data-testid="recovered" ?open=${over.some(({ id }) => id === selected)}>
              <summary class="over-head">${verdictIcon("healthy")} Recovered: ${recovered(over, how.unit)}</summary>
              ${cards(over)}</details>`
          : nothing
      }
      ${
        watched?.gone.length
          ? withLater(({ goneList }) => goneList(watched.gone, how.unit), redraw, nothing)
          : nothing
      }
      ${withLater(
        ({ findingsOverTime }) => findingsOverTime(reply, selected, handlers.showFinding),
        redraw,
        nothing,
      )}
      ${withLater(
        ({ openChecks }) => openChecks(reply, handlers, state === "not-decided"),
        redraw,
        nothing,
      )} ${skipped(reply)}
    </div>`;
}

/**
 * What else was found, before anyone scrolls: a second cause may be the one to begin with.
 *
 * @param {Finding[]} standing
 * @param {Map<string, Finding[]>} explained
 * @param {string | null} selected
 * @param {FindingsHandlers} handlers
 */
function others(standing, explained, selected, handlers) {
  if (standing.length < 2) return nothing;
  const parts = overview(standing, explained, selected);
  return html`<p class="others" data-testid="other-findings">${parts.map(
    ({ text, first, more }, index) =>
      html`${index ? " · " : nothing}${text}${
        first
          ? html` <button type="button" class="link" title="Go there"
              @click=${() => handlers.showFinding(first.id)}>${visible(first.title)}</button>`
          : nothing
      }${more > 0 ? ` and ${more} more` : nothing}`,
  )}</p>`;
}

/**
 * For each kind of finding how many stand for themselves, and the first that is not the one that is
 * looked at.
 *
 * @param {Finding[]} standing
 * @param {Map<string, Finding[]>} explained
 * @param {string | null} selected
 * @returns {{text: string, first: Finding | null, more: number}[]}
 */
export function overview(standing, explained, selected) {
  const holds = (/** @type {Finding} */ { id }) =>
    id === selected || explained.get(id)?.some((one) => one.id === selected) === true;
  const here = standing.find(holds) ?? standing[0];
  return KINDS.flatMap((kind) => {
    const all = standing.filter((one) => sortOf(one) === kind);
    if (all.length === 0) return [];
    const rest = all.filter((one) => one !== here);
    const at = all.indexOf(here);
    const place = at >= 0 && rest.length > 0 ? `${at + 1} of ` : "";
    const alone = kind === "symptom" && standing.some((one) => one.kind === "cause");
    const lead = rest.length === 0 ? "" : at >= 0 ? " · also:" : ":";
    const text = `${place}${counted(all.length, kind)}${alone ? " that no cause explains" : ""}${lead}`;
    return [{ text, first: rest[0] ?? null, more: Math.max(0, rest.length - 1) }];
  });
}

const KINDS = ["cause", "symptom", "caution", "notice"];

/**
 * What is only a notice does not make a run sick: it is no cause beside causes.
 *
 * @param {Finding} finding
 */
function sortOf({ severity, kind }) {
  return severity === "info" ? "notice" : kind;
}

/**
 * What is over, and when it was: "the loss does not decrease, steps 4 to 219".
 *
 * @param {Finding[]} over  Not empty.
 * @param {string} unit
 */
function recovered(over, unit) {
  const said = namesOf(over.map(({ title }) => ({ title: title.replace(/ \(recovered\)$/, "") })));
  return over.length > 1 ? said : `${said}, ${spanOf(over[0], unit)}`;
}

/**
 * @param {string} id
 * @param {CompareReply | null} compared
 */
function elsewhere(id, compared) {
  if (!compared) return nothing;
  const both = compared.shared.some((one) => one.id === id);
  const there = both ? "both" : compared.findings.find((one) => one.id === id)?.second;
  if (there === undefined) return nothing;
  const said = new Map([
    ["none", "Not found in"],
    ["not evaluated", "Could not be checked in"],
  ]).get(there);
  return html`<p class="where">${said ?? "Also in"} ${inlineName(compared.with)}</p>`;
}

/**
 * Findings to list, and under which of them the others belong. What claims to be explained by
 * something that is not here stands for itself; order is kept.
 *
 * @param {Finding[]} findings
 */
export function tree(findings) {
  const byId = new Map(findings.map((finding) => [finding.id, finding]));
  /** @type {Map<string, Finding[]>} */
  const explained = new Map();
  const heads = [];
  for (const finding of findings) {
    const head = root(finding, byId);
    if (head === finding) heads.push(finding);
    else explained.set(head.id, [...(explained.get(head.id) ?? []), finding]);
  }
  return { heads, explained };
}

/**
 * @param {Finding} finding
 * @param {Map<string, Finding>} byId
 */
function root(finding, byId) {
  const seen = new Set([finding.id]);
  let head = finding;
  while (head.explained_by !== null) {
    const next = byId.get(head.explained_by);
    if (!next) break;
    if (seen.has(next.id)) return finding;
    seen.add(next.id);
    head = next;
  }
  return head;
}

/**
 * @param {FindingsReply} reply
 * @param {RunSummary} summary
 * @param {{color: string, mark: string}} dot
 * @param {FindingsHandlers} handlers
 */
function heading(reply, summary, { color, mark }, handlers) {
  const facts = [];
  if (stepNumber(reply.last_step) >= 0)
    facts.push(html`last ${stepWord(reply.axis)} ${formatStep(reply.last_step)}`);
  if (summary.sampled) {
    const { kept, total, exact } = summary.sampled;
    facts.push(html`<span class="sampled" title="TensorBoard kept a sample of this run's records. Start it with --samples_per_plugin=${exact ? "convergence=N" : "histograms=N,scalars=N"} to keep more."
      >${formatStep(kept)} of ${exact ? "" : "about "}${formatStep(total)} steps (sampled)</span>`);
  }
  const parts = summary.source_runs.filter((part) => part !== reply.run);
  if (parts.length > 1) {
    const ends = parts.map((part) => visible(part.slice(part.lastIndexOf("/") + 1)));
    facts.push(
      html`<span title=${parts.map(visible).join(", ")}>${ends.join(" and ")} as one run</span>`,
    );
  }
  for (const step of reply.restarts.slice(0, 3)) facts.push(html`restarted at ${formatStep(step)}`);
  return html`<header class="panel-head">
    <h2><i class="dot ${mark}" .style=${`background:${color}`}></i>${name(reply.run)}</h2>
    ${exportMenu("findings", "the findings", ["csv", "json"], handlers)}
    <p class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}</p>
    ${withLater(({ runNote }) => runNote(reply.run, handlers.say), handlers.redraw, nothing)}
  </header>`;
}

/** @param {FindingsReply} reply */
function skipped({ skipped: refused, shortened }) {
  if (refused.length === 0) return nothing;
  return html`<details class="aside" data-testid="skipped">
    <summary>Skipped: ${counted(refused.length, "piece")} of damaged or unknown data</summary>
    <dl>
      ${refused.map(
        ({ tag, step, reason }) => html`<dt>${inlineName(tag)}${
          step === null ? nothing : html` <span class="soft">step ${formatStep(step)}</span>`
        }</dt>
          <dd>${inlineName(reason)}</dd>`,
      )}
    </dl>
    ${shortened ? html`<p class="soft">The list is cut short.</p>` : nothing}
  </details>`;
}
