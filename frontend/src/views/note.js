/**
 * A person's own note on a run.
 */
import { html } from "lit-html";
import { fullName } from "../format/names.js";
import { keepNote, LONGEST, noteOn } from "../host/notes.js";

/**
 * @param {string} run
 * @param {(said: string) => void} say  What a screen reader is told.
 */
export function runNote(run, say) {
  const note = noteOn(run);
  const change = (/** @type {Event} */ event) => {
    const kept = keepNote(run, /** @type {HTMLTextAreaElement} */ (event.target).value.trim());
    say(kept ? "The note is saved in this browser." : "This browser cannot save notes.");
  };
  return html`<details class="run-note" data-testid="run-note" ?open=${note !== ""}>
    <summary>${note ? "Note" : "Add a note"}</summary>
    <textarea rows="2" maxlength=${LONGEST} aria-label="Note on ${fullName(run)}" .value=${note}
      placeholder="Saved in this browser; included in the JSON export" @change=${change}></textarea>
  </details>`;
}
