/**
 * The list of series that can be drawn in every chart of the whole run.
 *
 * @import { LossData, LossHandlers } from "./loss.js"
 */
import { html } from "lit-html";
import { LABELS } from "../data/curves.js";
import { visible } from "../format/names.js";
import { menu } from "./export_menu.js";
import { sign } from "./icon.js";

/** Of a list of series that a person chooses from, at most. */
const MOST_PINS = 60;

/**
 * Series that are drawn whatever chart is shown, on a scale of their own: accuracy beside the loss.
 *
 * @param {LossData} data
 * @param {LossHandlers} handlers
 */
export function pins({ all, view }, { setView }) {
  const offered = all.filter(({ values }) => values.length > 0).slice(0, MOST_PINS);
  return menu(
    "pins",
    "Pin further series",
    html`${sign("add")} Pin`,
    html`<fieldset class="pins"><legend>Drawn in every chart of the run</legend>
      ${offered.map(({ name, title }) => {
        const pinned = view.pinned.includes(name);
        const toggled = pinned ? view.pinned.filter((one) => one !== name) : [...view.pinned, name];
        return html`<label class="check"><input type="checkbox" .checked=${pinned}
          @change=${() => setView({ pinned: toggled })} />${visible(LABELS.get(name) ?? title)}</label>`;
      })}
    </fieldset>`,
  );
}
