/**
 * The page's view "Landscape": one landscape, or two on one scale.
 *
 * @import { Acts, Shown } from "./panel.js"
 * @import { Scale } from "./scale.js"
 * @import { Listed } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { formatNumber } from "../format/numbers.js";
import { keyPart, keyText } from "./key.js";
import { panel } from "./panel.js";
import { comparison } from "./words.js";

/**
 * @typedef {object} Choice
 * @property {"A" | "B"} side
 * @property {string} run
 * @property {Listed[]} landscapes
 * @property {string} name  Of the chosen one; "" where the run has none.
 * @property {string} problem  Why it cannot be shown; "" if it can.
 * @property {boolean} pending
 *
 * @typedef {object} Page
 * @property {string[]} runs
 * @property {Map<string, boolean>} having  Whether a run has a landscape, where that is known.
 * @property {Choice} a
 * @property {Choice | null} b
 * @property {"both" | "A" | "B"} layout
 * @property {number} pair
 * @property {number} pairs
 * @property {boolean} together
 * @property {Scale | null} scale
 * @property {string[]} colors
 * @property {Shown[]} shown
 * @property {string} said
 *
 * @typedef {object} PageActs
 * @property {(side: "A" | "B", run: string) => void} choose
 * @property {(name: string) => void} directions
 * @property {(layout: "both" | "A" | "B") => void} layout
 * @property {(pair: number) => void} pair
 * @property {(on: boolean) => void} together
 * @property {(format: "png" | "csv" | "json") => void} save
 * @property {(button: HTMLElement) => void} copy
 */

/**
 * @param {Page} page
 * @param {PageActs & Acts} acts
 */
export function view(page, acts) {
  const { a, b, shown } = page;
  return html`<main class="landscape">
    <p class="hidden-label" aria-live="polite">${page.said}</p>
    <section class="card bar" aria-label="Choice of landscapes">
      <div class="choices">
        ${runSelect(page, a, acts)} ${runSelect(page, b ?? { ...a, side: "B", run: "" }, acts)}
        ${layouts(page, acts)} ${directionSelect(a, acts)} ${pairSelect(page, acts)}
        ${shown.length > 1 && shown[0].plane.y ? turnBox(page, acts) : nothing}
        ${shown.length ? saves(acts) : nothing}
      </div>
      ${shown.length ? head(page) : nothing}
    </section>
    ${shown.length ? nothing : instead(a, acts)}
    ${b && page.layout !== "A" && !shown.some((one) => one.side === "B") ? missingOther(b) : nothing}
    <div class="grounds">${shown.map((one) => panel(one, acts))}</div>
  </main>`;
}

/**
 * @param {Page} page
 * @param {Choice} choice
 * @param {PageActs} acts
 */
function runSelect({ runs, having }, { side, run }, acts) {
  const change = (/** @type {Event} */ event) =>
    acts.choose(side, /** @type {HTMLSelectElement} */ (event.target).value);
  return html`<label class="pick"><span class="side">${side}</span>
    <select aria-label="Run ${side}" data-testid="run-${side}" @change=${change}>
      ${side === "B" ? html`<option value="" ?selected=${run === ""}>no second run</option>` : nothing}
      ${runs.map(
        (name) =>
          html`<option value=${name} ?selected=${name === run}>${name}${having.get(name) === false ? " (none)" : ""}</option>`,
      )}
    </select></label>`;
}

/**
 * @param {Page} page
 * @param {PageActs} acts
 */
function layouts({ b, layout }, acts) {
  if (!b) return nothing;
  const choices = /** @type {const} */ ([
    ["both", "Side by side"],
    ["A", "A"],
    ["B", "B"],
  ]);
  return html`<div class="segments" role="group" aria-label="Which landscapes are shown">
    ${choices.map(
      ([id, text]) =>
        html`<button type="button" aria-pressed=${layout === id ? "true" : "false"} @click=${() => acts.layout(id)}>${text}</button>`,
    )}
  </div>`;
}

/**
 * @param {Choice} a
 * @param {PageActs} acts
 */
function directionSelect({ landscapes, name }, acts) {
  if (!landscapes.length) return nothing;
  const change = (/** @type {Event} */ event) =>
    acts.directions(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<label class="pick">Landscape
    <select data-testid="directions" @change=${change}>
      ${landscapes.map((one) => html`<option value=${one.name} ?selected=${one.name === name}>${one.name} (${kind(one)})</option>`)}
    </select></label>`;
}

/** @param {Listed} one */
function kind({ directions, dimensions, planes }) {
  const shape = dimensions === 1 ? "line" : planes > 1 ? `${planes} planes` : "plane";
  return `${directions}, ${shape}`;
}

/**
 * @param {Page} page
 * @param {PageActs} acts
 */
function pairSelect({ pair, pairs }, acts) {
  if (pairs < 2) return nothing;
  const change = (/** @type {Event} */ event) =>
    acts.pair(Number(/** @type {HTMLSelectElement} */ (event.target).value));
  return html`<label class="pick">Pair
    <select data-testid="pair" @change=${change}>
      ${Array.from({ length: pairs }, (_, at) => html`<option value=${at} ?selected=${at === pair}>${at + 1} of ${pairs}</option>`)}
    </select></label>`;
}

/**
 * @param {Page} page
 * @param {PageActs} acts
 */
function turnBox({ together }, acts) {
  return html`<label class="pick"><input type="checkbox" .checked=${together}
    @change=${(/** @type {Event} */ event) => acts.together(/** @type {HTMLInputElement} */ (event.target).checked)}>
    Turn both surfaces together</label>`;
}

/** @param {PageActs} acts */
function saves(acts) {
  return html`<span class="saves" role="group" aria-label="Export">
    ${
      /** @type {const} */ (["png", "csv", "json"]).map(
        (format) =>
          html`<button type="button" class="button" @click=${() => acts.save(format)} aria-label="Save as ${format.toUpperCase()}">${format.toUpperCase()}</button>`,
      )
    }
  </span>`;
}

/** @param {Page} page */
function head({ shown, scale, colors }) {
  const sentence =
    shown.length > 1
      ? comparison(
          { run: shown[0].run, landscape: shown[0].reply.landscape },
          { run: shown[1].run, landscape: shown[1].reply.landscape },
        )
      : (shown[0].reply.landscape.sharpness?.text ?? "");
  return html`<div class="head">
    <p class="sentence">${sentence}</p>
    ${shown[0].plane.y && scale ? key(scale, colors, shown.length > 1) : nothing}
  </div>`;
}

/**
 * @param {Scale} scale
 * @param {string[]} colors
 * @param {boolean} both
 */
function key({ levels }, colors, both) {
  const wide = 264 / (levels.length + 1);
  return html`<svg class="key" viewBox="0 0 400 34" role="img" aria-label="Loss by color, from ${formatNumber(levels[0], 2)} to ${formatNumber(levels.at(-1) ?? 0, 2)}">
    ${[...levels, 0].map((_, at) => keyPart(colors[at], at * wide, wide))}
    ${levels.map((level, at) => keyText(formatNumber(level, 2), (at + 1) * wide))}
    ${keyText(both ? "loss, one scale for both" : "loss", 272, 11, "start")}
  </svg>`;
}

/**
 * Text that follows a run's name where its landscape cannot be shown.
 *
 * @param {Choice} a
 * @param {PageActs} acts
 */
function instead(a, acts) {
  if (a.pending)
    return html`<section class="card empty" role="status">Loading the landscape…</section>`;
  if (a.problem) return html`<section class="card empty" role="alert">${a.problem}</section>`;
  return html`<section class="card empty" data-testid="no-landscape">
    <h2>No landscape for this run</h2>
    <p>Compute one in the process that has the model, during or after the training. The model stays bit-identical.</p>
    <pre tabindex="0" aria-label="Code to add"><code>${CODE}</code></pre>
    <button type="button" class="button" @click=${(/** @type {Event} */ event) => acts.copy(/** @type {HTMLElement} */ (event.currentTarget))}>Copy</button>
    <p class="soft">Or from files: <code>tb-convergence landscape MODEL.keras DATA.npz --logdir RUN</code></p>
  </section>`;
}

/** @param {Choice} b */
function missingOther(b) {
  if (b.pending) return nothing;
  return html`<section class="card empty" role="status">${b.problem || `${b.run} has no landscape of the same kind.`}</section>`;
}

export const CODE = `found = tb_convergence.landscape(model, (x, y))
found.write(log_dir)`;
