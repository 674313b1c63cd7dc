/**
 * Which findings there were at which step: a bar each, from where it begins to where it is over. What
 * follows from what is seen from the order.
 *
 * @import { Finding, FindingsReply } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { visible } from "../format/names.js";
import { isOver, lookOf } from "../format/severity.js";
import { formatStep, stepNumber, stepWord } from "../format/steps.js";
import { verdictIcon } from "./icon.js";

/**
 * @typedef {object} Bar
 * @property {Finding} finding
 * @property {number} from  From 0 to 1, of the run.
 * @property {number} found  From where on the records were enough to find it.
 * @property {number} to
 */

/**
 * Those that need or needed action, in the order in which they begin.
 *
 * @param {Pick<FindingsReply, "findings" | "last_step">} reply
 * @returns {Bar[]} Empty where they all begin together and none is over: that needs no picture.
 */
export function barsOf({ findings, last_step: last }) {
  const whole = stepNumber(last) + 1;
  const shown = findings.filter((one) => one.severity !== "info" || isOver(one));
  const bars = shown.map((finding) => {
    const { first_step: first, reported_step: told, recovered_step: end } = finding;
    const from = stepNumber(first) / whole;
    const to = end == null ? 1 : stepNumber(end) / whole;
    const found = told == null ? from : stepNumber(told) / whole;
    return { finding, from, found: Math.min(to, Math.max(from, found)), to };
  });
  const alike = new Set(bars.map(({ from, to }) => `${from} ${to}`)).size < 2;
  if (alike || !bars.every(({ from, to }) => from >= 0 && to <= 1)) return [];
  return bars.sort((a, b) => a.from - b.from);
}

/**
 * @param {FindingsReply} reply
 * @param {string | null} selected
 * @param {(id: string) => void} show
 */
export function findingsOverTime(reply, selected, show) {
  const bars = barsOf(reply);
  if (bars.length === 0) return nothing;
  const unit = stepWord(reply.axis);
  const percent = (/** @type {number} */ part) => `${(100 * part).toFixed(2)}%`;
  const begun = bars.some(({ from, found }) => found > from);
  return html`<section class="aside episodes" data-testid="findings-over-time">
    <h3>Findings over time</h3>
    <ul>${bars.map(({ finding, from, found, to }) => {
      const look = lookOf(finding);
      return html`<li><button type="button" aria-current=${finding.id === selected ? "true" : "false"}
          @click=${() => show(finding.id)}>${verdictIcon(look)}
        <span class="episode-name">${visible(finding.title)}</span>
        <span class="soft">${spanWords(finding, unit)}</span>
        <span class="episode-bar ${look}" aria-hidden="true">
          <i class="begun" .style=${`left:${percent(from)};right:${percent(1 - to)}`}></i>
          <i .style=${`left:${percent(found)};right:${percent(1 - to)}`}></i></span></button></li>`;
    })}</ul>
    <p class="episode-axis soft"><span>${unit} 0</span><span>${formatStep(reply.last_step)}</span></p>
    ${begun ? html`<p class="note">Pale: the fault had begun, but the records could not show it yet.</p>` : nothing}
  </section>`;
}

/** @param {Finding} finding @param {string} unit */
function spanWords({ first_step: first, recovered_step: end }, unit) {
  return end == null
    ? `from ${unit} ${formatStep(first)}`
    : `${unit}s ${formatStep(first)} – ${formatStep(end)}`;
}
