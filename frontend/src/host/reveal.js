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
  let unsettled = true;
  return (selection) => {
    const [otherRun, otherFinding] = [selection.run !== run, selection.finding !== finding];
    const chip = root.querySelector(CHIP);
    // A link may name a run before it is listed, and runs change their places while they are examined.
    if (otherRun || unsettled) scrollAlong(chip);
    unsettled = chip === null || root.querySelector(".runs progress") !== null;
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

/** The selected run's. */
const CHIP = '.chip[aria-pressed="true"]';
/** Beyond the edge of the strip, in CSS pixels: enough of the neighbor to see that there is one. */
const ROOM = 48;

/**
 * Along the strip, and not a pixel of the page.
 *
 * @param {Element | null} chip
 */
function scrollAlong(chip) {
  const list = /** @type {HTMLElement | null | undefined} */ (chip?.closest(".chips"));
  if (!chip || !list) return;
  const [inner, outer] = [chip.getBoundingClientRect(), list.getBoundingClientRect()];
  const before = inner.left - ROOM - outer.left;
  const beyond = inner.right + ROOM - outer.right;
  if (before < 0) list.scrollLeft += before;
  else if (beyond > 0) list.scrollLeft += beyond;
}
