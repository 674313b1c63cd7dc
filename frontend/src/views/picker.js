/**
 * "Which of these scalars is the loss?": asks what scalars are whose names do not say it, and takes the
 * answer.
 *
 * @import { Candidate } from "../data/candidates.js"
 * @import { Slot } from "../data/loader.js"
 * @import { ScalarRole } from "../state/tags.js"
 * @import { FindingsReply, ScalarTag } from "../types.js"
 */
import { html, nothing, svg } from "lit-html";
import { askable } from "../data/candidates.js";
import { fullName, visible } from "../format/names.js";
import { counted, formatNumber } from "../format/numbers.js";
import { scalarAnswers } from "../state/tags.js";
import { inlineName } from "./name.js";

/**
 * @typedef {object} PickerData
 * @property {FindingsReply} reply
 * @property {string} tags  What was said so far.
 * @property {boolean} picking  The person is answering.
 * @property {number | null} before  Checks that were decided before they began to.
 * @property {Slot<Candidate[]>} curves
 *
 * @typedef {object} PickerHandlers
 * @property {(tag: string, role: ScalarRole | null) => void} answerScalar
 * @property {() => void} resetScalars
 * @property {(open: boolean) => void} setPicking
 * @property {import("./states.js").Copy} copy
 */

/** @type {[ScalarRole, string][]} */
const CHOICES = [
  ["loss", "Training loss"],
  ["validation", "Validation loss"],
  ["rate", "Learning rate"],
  ["no_scalar", "None of these"],
];

/**
 * Whether the page asks: a scalar may be the loss, and none was read as one. Else a line offers to.
 *
 * @param {ScalarTag[]} scalars
 */
export function asksForLoss(scalars) {
  return (
    scalars.some(({ use }) => use === "asked") &&
    !scalars.some((scalar) => guessed(scalar) === "loss")
  );
}

/**
 * A card while something is asked, a line when it was answered, nothing where every name is clear.
 *
 * @param {PickerData} data
 * @param {PickerHandlers} handlers
 */
export function lossPicker(data, handlers) {
  const { reply, tags, picking } = data;
  const answers = scalarAnswers(tags);
  if (!picking && !asksForLoss(reply.scalars)) return line(reply.scalars, answers, handlers);
  return card(data, answers, handlers);
}

/**
 * @param {ScalarTag[]} scalars
 * @param {Map<string, ScalarRole>} answers
 * @param {PickerHandlers} handlers
 */
function line(scalars, answers, handlers) {
  const said = CHOICES.flatMap(([role, label]) => {
    const tags = scalars
      .filter((one) => (answers.get(one.tag) ?? guessed(one)) === role)
      .map(({ tag }) => tag);
    if (tags.length === 0 || role === "no_scalar") return [];
    const each = tags.map((tag, index) => html`${index ? " + " : ""}${inlineName(tag)}`);
    return [html`${label}: ${each}`];
  });
  return html`<section class="ask-line" data-testid="picker-line" aria-label="Scalars by name">
    <span><strong>Scalars:</strong> ${said.length ? said.map((one, index) => html`${index ? " · " : nothing}${one}`) : "your choice contains no loss"}</span>
    <button type="button" class="link" @click=${() => handlers.setPicking(true)}>Change</button>
  </section>`;
}

/**
 * @param {PickerData} data
 * @param {Map<string, ScalarRole>} answers
 * @param {PickerHandlers} handlers
 */
function card({ reply, tags, picking, before, curves }, answers, handlers) {
  const rows = askable(reply.scalars);
  const left = new Set(reply.scalars.map(({ tag }) => tag)).size - rows.length;
  return html`<section class="card ask picker" data-testid="picker" aria-labelledby="picker-title">
    <header>
      <h2 id="picker-title">Which of these scalars is the loss?</h2>
      <p class="soft">Their names are ambiguous. The link of this page contains your answer, and this browser remembers it.
        On the command line: <code>--tags '${visible(tags || "loss=NAME,validation=NAME")}'</code></p>
    </header>
    <div class="picker-scroll" tabindex="0" role="group" aria-label="Scalars">
    <table class="picker-table">
      <thead><tr><th scope="col">Scalar</th><th scope="col">Curve</th><th scope="col">First → last</th>
        <th scope="col">What it looks like</th>
        ${CHOICES.map(([, label]) => html`<th scope="col" class="choice-head">${label}</th>`)}</tr></thead>
      <tbody>${rows.map((one, index) => row(one, index, answers, curves, handlers))}</tbody>
    </table></div>
    ${left > 0 ? html`<p class="soft">${counted(left, "further scalar")} of this run ${left === 1 ? "is" : "are"} not listed.</p>` : nothing}
    <footer class="picker-foot">
      <span>${effect(reply, before)}</span>
      <span class="spring"></span>
      ${answers.size ? html`<button type="button" class="button" data-testid="picker-reset" @click=${handlers.resetScalars}>Reset to our guess</button>` : nothing}
      <button type="button" class="button filled" data-testid="picker-done" ?disabled=${!picking}
        @click=${() => handlers.setPicking(false)}>Use this choice</button>
    </footer>
  </section>`;
}

/**
 * How many checks can be decided with the present choice.
 *
 * @param {FindingsReply} reply
 * @param {number | null} before
 */
function effect({ verdict }, before) {
  if (!verdict?.applicable) return nothing;
  const { decided, applicable } = verdict;
  return html`<strong>${decided} of ${counted(applicable, "check")}</strong> decided${
    before === null || before === decided ? "" : ` with this choice, ${before} before`
  }. The curves below show what is read now.`;
}

/**
 * @param {ScalarTag} scalar
 * @param {number} index
 * @param {Map<string, ScalarRole>} answers
 * @param {Slot<Candidate[]>} curves
 * @param {PickerHandlers} handlers
 */
function row(scalar, index, answers, curves, handlers) {
  const { tag } = scalar;
  const found = (curves.data ?? curves.previous)?.find((one) => one.tag === tag);
  const chosen = answers.get(tag) ?? guessed(scalar);
  const guess = !answers.has(tag) && chosen !== "no_scalar";
  return html`<tr data-testid="picker-row" data-tag=${tag}>
    <th scope="row"><code title=${fullName(tag)}>${inlineName(tag)}</code>${guess ? html` <span class="guess">our guess</span>` : nothing}</th>
    <td>${found ? sparkline(found) : nothing}</td>
    <td class="number">${found && found.first !== null ? html`${formatNumber(found.first)} → ${formatNumber(found.last)}` : "–"}</td>
    <td class="soft">${found?.look ?? ""}</td>
    ${CHOICES.map(
      ([role, label]) => html`<td class="choice-cell"><input type="radio" name="picker-${index}"
        aria-label="${fullName(tag)}: ${label}" .checked=${chosen === role}
        @change=${() => handlers.answerScalar(tag, role)} /></td>`,
    )}
  </tr>`;
}

/**
 * What the reader took a scalar for.
 *
 * @param {ScalarTag} scalar
 * @returns {ScalarRole}
 */
function guessed({ role, use }) {
  if (use !== "read" && use !== "part" && use !== "told") return "no_scalar";
  if (role === "loss" || role === "epoch_loss") return "loss";
  if (role === "validation_loss") return "validation";
  return role === "learning_rate" ? "rate" : "no_scalar";
}

const [WIDE, HIGH] = [120, 24];

/** @param {Candidate} candidate */
function sparkline({ values, tag }) {
  const finite = values.filter((value) => value !== null);
  if (finite.length < 2) return nothing;
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const x = (/** @type {number} */ index) => (index / (values.length - 1)) * WIDE;
  const y = (/** @type {number} */ value) =>
    most === least ? HIGH / 2 : HIGH - 2 - ((value - least) / (most - least)) * (HIGH - 4);
  const points = values.flatMap((value, index) =>
    value === null ? [] : [`${x(index).toFixed(1)},${y(value).toFixed(1)}`],
  );
  return html`<svg class="sparkline" width=${WIDE} height=${HIGH} viewBox="0 0 ${WIDE} ${HIGH}" role="img"
    aria-label="Curve of ${fullName(tag)}">${svg`<polyline points=${points.join(" ")}></polyline>`}</svg>`;
}
