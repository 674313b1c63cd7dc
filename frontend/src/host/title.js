/**
 * The title of the browser's tab, which is TensorBoard's: changed while there is news, then put back.
 */

/** @type {string | null} */
let original = null;

/** @param {string | null} text null: TensorBoard's own again. */
export function setTitle(text) {
  try {
    const page = window.parent.document;
    if (text === null) {
      if (original !== null) page.title = original;
      original = null;
      return;
    }
    original ??= page.title;
    page.title = text;
  } catch {
    // A foreign host keeps its title.
  }
}
