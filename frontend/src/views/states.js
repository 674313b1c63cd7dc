/**
 * What the page shows instead of data: nothing yet, nothing at all, or what went wrong.
 *
 * @import { Slot } from "../data/loader.js"
 * @import { ApiError } from "../data/api.js"
 */
import { html, nothing } from "lit-html";
import { sign } from "./icon.js";
import { inlineName } from "./name.js";

/** The two lines that make a training script tell us more. */
export const SNIPPET = [
  "from tb_convergence.keras import ConvergenceCallback",
  'model.fit(x, y, callbacks=[ConvergenceCallback("logs/my_run")])',
];

/** @param {string} label */
export function loading(label) {
  return html`<div class="loading" role="status"><span class="spinner"></span>${label}</div>`;
}

/**
 * Why something is not there, and what can be done about it.
 *
 * @param {unknown} what A headline.
 * @param {{message: string, reason: ApiError["reason"]}} error
 * @param {() => void} retry
 */
export function failure(what, error, retry) {
  const reload = error.reason === "schema";
  return html`<div class="failure" role="alert">
    <p><strong>${what}</strong></p>
    <p>${error.message}</p>
    <button type="button" class="button" @click=${reload ? () => location.reload() : retry}>
      ${sign("retry")} ${reload ? "Reload the page" : "Try again"}
    </button>
  </div>`;
}

/**
 * A slot as one of: a wait, a failure, or its content.
 *
 * @template T
 * @param {Slot<T>} slot
 * @param {{what: string, retry: () => void, ready: (data: T) => unknown}} choices
 */
export function content(slot, { what, retry, ready }) {
  if (slot.data !== null) return ready(slot.data);
  if (slot.error) return failure(`${what} could not be loaded.`, slot.error, retry);
  return slot.status === "loading" ? loading(`Loading ${what.toLowerCase()}…`) : nothing;
}

/**
 * @param {Copy} copy
 * @param {string[]} [lines]
 */
export function snippet(copy, lines = SNIPPET) {
  return html`<figure class="snippet">
    <pre tabindex="0" aria-label="Code to add"><code>${lines.join("\n")}</code></pre>
    <button type="button" class="button copy"
      @click=${(/** @type {Event} */ event) =>
        copy(lines.join("\n"), /** @type {HTMLElement} */ (event.currentTarget))}
    >${sign("copy")} <span>Copy</span></button>
  </figure>`;
}

/** @param {Copy} copy */
export function noRuns(copy) {
  return html`<section class="card empty" data-testid="empty">
    <h2>No training run yet</h2>
    <p>
      This tab answers one question: <em>why won't my loss converge?</em> Add these two lines to your
      training script, start it, and point TensorBoard at the same folder.
    </p>
    ${snippet(copy)}
    <p class="soft">
      Existing logs work too: the tab reads gradient and variable histograms and the scalars
      <code>loss</code>, <code>val_loss</code> and <code>learning_rate</code>. The page updates by
      itself.
    </p>
  </section>`;
}

/**
 * A run that holds nothing we can show.
 *
 * @param {string} run
 * @param {Copy} copy
 * @param {string[]} [lines]
 */
export function emptyRun(run, copy, lines) {
  return html`<section class="card empty" data-testid="empty">
    <h2>Nothing to show yet</h2>
    <p>
      ${inlineName(run)} contains no loss curve and no layer statistics. These two lines record
      the data that the checks and views need:
    </p>
    ${snippet(copy, lines)}
    <p class="soft">
      The tab also reads ordinary gradient histograms and the scalars <code>loss</code>,
      <code>val_loss</code> and <code>learning_rate</code>.
    </p>
  </section>`;
}

/**
 * Shown in place of the map where a run recorded nothing of single layers.
 *
 * @param {string} run
 * @param {Copy} copy
 * @param {string[]} [lines]
 * @param {boolean} [asked] Whether there are histograms that may be of layers.
 * @param {boolean} [ways] Whether there are lines for other programs, with the open checks.
 */
export function noLayers(run, copy, lines, asked = false, ways = false) {
  return html`<div class="hint" data-testid="no-layers">
    <h2>Where in the network?</h2>
    ${
      asked
        ? html`<p>Choose above what the histograms of ${inlineName(run)} are. Its layers then appear here.</p>`
        : nothing
    }
    <p>
      ${inlineName(run)} has no layer statistics. These two lines record them for this map.
    </p>
    ${snippet(copy, lines)}
    ${ways ? html`<p class="soft">For other programs, see <em>How to decide the open checks</em>.</p>` : nothing}
  </div>`;
}

/** @typedef {(text: string, button: HTMLElement) => void} Copy */
