/**
 * The keys that the page knows, as a dialog.
 */
import { html } from "lit-html";
import { sign } from "./icon.js";

/** @type {[string, [string[], string][]][]} */
const KEYS = [
  [
    "Anywhere",
    [
      [["r"], "runs"],
      [["f"], "findings"],
      [["c"], "curves of the run"],
      [["m"], "heat map"],
      [["l"], "selected layer"],
      [["/"], "filter the rows of the map"],
      [["j", "k"], "next, previous finding, in all views"],
      [["]", "["], "next, previous run"],
      [["?"], "this list"],
    ],
  ],
  [
    "Runs",
    [
      [["←", "→", "↑", "↓"], "next, previous run"],
      [["Enter"], "select"],
      [["v"], "compare with the selected run, or stop comparing"],
      [["x"], "hide, or show again"],
    ],
  ],
  [
    "Heat map, histograms",
    [
      [["←", "→", "↑", "↓"], "move by one cell and read out its value"],
      [["Page Up", "Page Down"], "ten rows"],
      [["Home", "End"], "first, last step"],
      [["Enter"], "open the row at this step"],
    ],
  ],
  [
    "Curves",
    [
      [["←", "→"], "move by one point and read out its values"],
      [["Page Up", "Page Down"], "ten points"],
      [["Home", "End"], "first, last point"],
      [["Enter"], "select the step in all views"],
      [["+", "−", "0"], "zoom in, zoom out, show all (curves of the run, time axis)"],
      [["Shift ←", "Shift →"], "pan (curves of the run)"],
      [["Escape"], "leave full screen"],
    ],
  ],
];

/**
 * @typedef {object} HelpHandlers
 * @property {() => void} showHelp
 * @property {(on: boolean) => void} switchShortcuts
 */

/**
 * @param {boolean} on Whether single-key shortcuts are.
 * @param {HelpHandlers} handlers
 */
export function helpDialog(on, handlers) {
  return html`<dialog id="help" class="help" aria-labelledby="help-title">
    <form method="dialog" class="help-head">
      <h2 id="help-title">Keyboard</h2>
      <button class="button square quiet" aria-label="Close">${sign("close")}</button>
    </form>
    ${KEYS.map(
      ([title, keys]) => html`<section>
        <h3>${title}</h3>
        <dl>${keys.map(
          ([names, what]) =>
            html`<div><dt>${names.map((key) => html`<kbd>${key}</kbd>`)}</dt><dd>${what}</dd></div>`,
        )}</dl>
      </section>`,
    )}
    <label class="check"><input type="checkbox" .checked=${on}
      @change=${(/** @type {Event} */ event) =>
        handlers.switchShortcuts(/** @type {HTMLInputElement} */ (event.target).checked)} />
      Single-key shortcuts (those under “Anywhere”)</label>
  </dialog>`;
}
