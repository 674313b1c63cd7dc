/**
 * A canvas whose places (cells, layers) are read by pointer and by keyboard, with a line of text
 * beneath that says what stands there.
 */
import { watchSize } from "./size.js";

/**
 * @typedef {object} Places
 * @property {(x: number, width: number) => number} at  The place at a pointer's x; -1 outside.
 * @property {() => number} count
 * @property {() => number} rest  The place that is told of while nothing is pointed at; may be -1.
 * @property {(place: number) => string} say
 * @property {(place: number) => void} open
 * @property {(place: number) => void} [tell]  Told where the pointer is; -1: it left.
 * @property {(place: number) => void} draw  Draws all, with a mark at `place` where it is not -1.
 */

/**
 * @param {string} name For tests and the style sheet.
 * @param {string} role What a screen reader calls it.
 * @param {Places} places
 */
export function createPlaces(name, role, places) {
  const element = document.createElement("div");
  element.className = name;
  const frame = document.createElement("div");
  frame.className = "places";
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.dataset.testid = name;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", role);
  const said = document.createElement("p");
  said.className = "readout";
  said.dataset.testid = `${name}-readout`;
  const words = document.createElement("span");
  said.append(words);
  frame.append(canvas);
  element.append(frame, said);
  let place = -1;
  function redraw() {
    if (frame.clientWidth === 0 || frame.clientHeight === 0) return;
    places.draw(place);
    words.textContent = places.say(place < 0 ? places.rest() : place);
    said.classList.toggle("active", place >= 0);
  }

  /** @param {number} next @param {boolean} byKeyboard */
  function moveTo(next, byKeyboard) {
    if (next === place) return;
    place = next;
    said.setAttribute("aria-live", byKeyboard ? "polite" : "off");
    places.tell?.(next);
    redraw();
  }

  const leave = () => moveTo(-1, false);
  const open = () => place >= 0 && places.open(place);
  const hover = (/** @type {PointerEvent} */ event) => {
    const x = event.clientX - canvas.getBoundingClientRect().left;
    moveTo(places.at(x, frame.clientWidth), false);
  };
  canvas.addEventListener("pointermove", hover);
  canvas.addEventListener("pointerdown", hover);
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("click", open);
  canvas.addEventListener("keydown", (event) => {
    const last = places.count() - 1;
    const from = place < 0 ? places.rest() : place;
    const targets = new Map([
      ["ArrowLeft", from - 1],
      ["ArrowRight", from + 1],
      ["Home", 0],
      ["End", last],
    ]);
    const next = targets.get(event.key);
    if (next !== undefined && last >= 0) moveTo(Math.min(last, Math.max(0, next)), true);
    else if (event.key === "Enter" || event.key === " ") open();
    else return;
    event.preventDefault();
  });
  const watched = watchSize(frame, redraw);

  return {
    element,
    frame,
    canvas,
    redraw,
    destroy: watched.stop,
    /** Makes room for the longest text: moving from place to place then moves nothing around. */
    reserve() {
      said.dataset.longest = longestOf(places);
    },
    /** Marks a place that another view points at. @param {number} next */
    follow(next) {
      place = next;
      redraw();
    },
  };
}

/** So many places are asked for their text: enough for its length, however many there are. */
const ASKED = 200;

/**
 * The longest text that a place has, about: of many places a sample is asked.
 *
 * @param {Pick<Places, "count" | "rest" | "say">} places
 */
export function longestOf({ count, rest, say }) {
  const all = count();
  const stride = Math.max(1, Math.ceil(all / ASKED));
  let longest = say(rest());
  for (let place = 0; place < all; place += stride) {
    const text = say(place);
    if (text.length > longest.length) longest = text;
  }
  return longest;
}
