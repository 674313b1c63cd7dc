/**
 * Asks what histograms are whose names do not say it, and takes the answer.
 *
 * @import { Role } from "../state/tags.js"
 * @import { TagFamily } from "../types.js"
 */
import { html, nothing } from "lit-html";
import { visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { answerTo, openQuestions } from "../state/tags.js";
import { inlineName } from "./name.js";

/**
 * @typedef {object} AskHandlers
 * @property {(family: TagFamily, role: Role | null) => void} answer
 * @property {(open: boolean) => void} setAsking
 */

/** @type {[Role, string][]} */
const CHOICES = [
  ["variables", "Weights"],
  ["gradients", "Gradients"],
  ["neither", "Neither"],
];

const WHY = {
  either: "could be weights or their gradients",
  both: "look like both weights and gradients",
  operation: "belong to the gradient of an operation and do not name the weight",
  unknown: "look like neither weights nor gradients",
  user: "",
};

/** @param {string} verbs  A clause about several histograms. */
function singular(verbs) {
  return verbs.replace("look ", "looks ").replace("belong ", "belongs ").replace("do ", "does ");
}

/**
 * A card while something is asked, a line when all is said, nothing where every name is clear.
 *
 * @param {{families: TagFamily[], tags: string, asking: boolean, nothingRead: boolean}} data
 *   `asking`: the person is answering, so the card stays until they are done.
 * @param {AskHandlers} handlers
 */
export function askPanel({ families, tags, asking, nothingRead }, handlers) {
  const there = families.filter((family) => family.count > 0);
  if (there.length === 0) return nothing;
  const open = openQuestions(there, tags, nothingRead);
  if (open.length === 0 && !asking) return line(there, tags, handlers);
  return html`<section class="card ask" data-testid="ask" aria-labelledby="ask-title">
    <header>
      <h2 id="ask-title">What are these histograms?</h2>
      <p class="soft">
        Their names are ambiguous, and a guess could be wrong. Once you answer, the checks and the map use
        them. The link of this page contains your answer.
      </p>
    </header>
    <ul class="ask-rows">
      ${there.map((family) => row(family, tags, handlers))}
    </ul>
    ${
      asking
        ? html`<button type="button" class="button" data-testid="ask-done"
            @click=${() => handlers.setAsking(false)}>Done</button>`
        : nothing
    }
  </section>`;
}

/**
 * @param {TagFamily} family
 * @param {string} tags
 * @param {AskHandlers} handlers
 */
function row(family, tags, handlers) {
  const { pattern, why, count, examples } = family;
  const chosen = answerTo(tags, family);
  const more = count - examples.length;
  const reason = count === 1 ? singular(WHY[why]) : WHY[why];
  return html`<li class="ask-row" data-testid="ask-row" data-pattern=${pattern}>
    <div>
      <p>
        <strong>${counted(count, "histogram")}</strong>${reason ? ` ${reason}` : nothing}
        <code class="form" title="Pattern: the braces contain the name of the weight">${visible(pattern)}</code>
      </p>
      <p class="soft examples">
        ${examples.map((tag, index) => html`${index ? ", " : ""}${inlineName(tag)}`)}${
          more > 0 ? `, and ${more} more` : nothing
        }
      </p>
    </div>
    <div class="choices" role="group" aria-label="${counted(count, "histogram")} such as ${visible(examples[0] ?? "")}">
      ${CHOICES.map(
        ([role, label]) => html`<button type="button" class="choice"
          aria-pressed=${chosen === role ? "true" : "false"}
          @click=${() => handlers.answer(family, chosen === role ? null : role)}>${label}</button>`,
      )}
    </div>
  </li>`;
}

/**
 * @param {TagFamily[]} families
 * @param {string} tags
 * @param {AskHandlers} handlers
 */
function line(families, tags, handlers) {
  const said = CHOICES.flatMap(([role, label]) => {
    const count = families
      .filter((family) => answerTo(tags, family) === role)
      .reduce((sum, family) => sum + family.count, 0);
    if (count === 0) return [];
    return role === "neither" ? `${count} ignored` : `${count} read as ${label.toLowerCase()}`;
  });
  const rest = families.filter((family) => answerTo(tags, family) === null);
  const unread = rest.reduce((sum, family) => sum + family.count, 0);
  if (unread) said.push(`${unread} not read, named neither as weights nor as gradients`);
  return html`<section class="ask-line" data-testid="ask-line" aria-label="Histograms by name">
    <span><strong>Histograms:</strong> ${said.join(" · ")}</span>
    <button type="button" class="link" @click=${() => handlers.setAsking(true)}>Change</button>
  </section>`;
}
