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
  let unsettled = false;
  let width = 0;
  /** @type {Element | null | undefined} */
  let first;
  // All rows are as high as the highest: what one of them is, a low list shows, and edges of its neighbours.
  const rows = new ResizeObserver(([{ target }]) => {
    const { height } = target.getBoundingClientRect();
    if (height) root.style.setProperty("--row", `${height}px`);
  });
  return (selection) => {
    const [otherRun, otherFinding] = [selection.run !== run, selection.finding !== finding];
    const item = root.querySelector(".chips > li");
    if (item !== first) rows.disconnect();
    if (item !== first && item) rows.observe(item);
    first = item;
    const chip = root.querySelector(CHIP);
    if (otherRun) scrollTo(chip);
    // A link may name a run before it is listed; chips change their places and heights while runs are
    // examined: the selected one must not be carried away.
    if (otherRun || unsettled || width !== innerWidth) hold(root);
    width = innerWidth;
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
/** When chips have their true heights: those never in view have a supposed one, typefaces come late. */
const LATER = [60, 300, 1000];

/**
 * Scrolls to the selected chip, and again a little later, unless someone has scrolled since.
 *
 * @param {HTMLElement} root
 */
function hold(root) {
  let top = scrollAlong(root.querySelector(CHIP));
  for (const delay of LATER) {
    setTimeout(() => {
      const chip = root.querySelector(CHIP);
      if (chip?.closest(".run-rows")?.scrollTop === top) top = scrollAlong(chip);
    }, delay);
  }
}

/**
 * Along its list, and not a pixel of the page.
 *
 * @param {Element | null} chip
 * @returns {number | null} Where the list stands then.
 */
function scrollAlong(chip) {
  const list = /** @type {HTMLElement | null | undefined} */ (chip?.closest(".run-rows"));
  if (!chip || !list) return null;
  const tall = list.closest(".all") !== null;
  const [inner, outer] = [chip.getBoundingClientRect(), list.getBoundingClientRect()];
  const before = inner.top - ABOVE - outer.top;
  const beyond = inner.bottom + ROOM - outer.bottom;
  // Rows snap: of a low list the chip's row is the first, of a high one it is just in view.
  if (before < 0 || beyond > 0) list.scrollTop += tall && before > 0 ? beyond : before;
  return list.scrollTop;
}

/** What the end of the list fades over, in CSS pixels. */
const ROOM = 16;
/** Above a row of a low list, as beneath it: the gap, and the edge of the next row without its text. */
const ABOVE = 12;
