/**
 * Keeps what was just selected in view, and the keyboard's place with it.
 *
 * @import { Selection } from "../types.js"
 */

/**
 * @param {HTMLElement} root
 * @returns {(selection: Selection) => void} To be called after each drawing.
 */
export function createReveal(root) {
  /** @type {string | null} */
  let run = null;
  /** @type {string | null} */
  let finding = null;
  return (selection) => {
    const [otherRun, otherFinding] = [selection.run !== run, selection.finding !== finding];
    if (otherRun) scrollTo(root.querySelector('.chip[aria-pressed="true"]'));
    // The first finding of a run is shown without anyone having asked: then the page keeps still.
    if (otherFinding && !otherRun && finding !== null && selection.finding !== null) {
      const card = /** @type {HTMLElement | null} */ (
        root.querySelector('.finding[aria-current="true"]')
      );
      scrollTo(card);
      // The pressed button went with the drawing: go on from the card it opened. The first card
      // opens by itself.
      if (finding !== null && document.activeElement === document.body) {
        card?.focus({ preventScroll: true });
      }
    }
    run = selection.run;
    finding = selection.finding;
  };
}

/** @param {Element | null} element */
function scrollTo(element) {
  element?.scrollIntoView({ block: "nearest", inline: "nearest" });
}
