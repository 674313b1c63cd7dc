/**
 * Keys in the list of runs: arrows, Home and End move; Enter and Space select (as buttons do);
 * V (versus) compares, X puts away.
 *
 * @import { RunsHandlers } from "./runs.js"
 */

/**
 * @param {KeyboardEvent} event
 * @param {Pick<RunsHandlers, "toggleCompared" | "toggleHiddenRun">} handlers
 */
export function runKeys(event, handlers) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const chips = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".chip")]);
  const item = /** @type {HTMLElement} */ (event.target).closest("li");
  const at = chips.findIndex((chip) => chip.parentElement === item);
  if (at < 0) return;
  const run = chips[at].dataset.run ?? "";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "v") {
    handlers.toggleCompared(run);
  } else if (key === "x") {
    // The chip leaves: go on from its neighbor.
    (chips[at + 1] ?? chips[at - 1])?.focus();
    handlers.toggleHiddenRun(run);
  } else {
    const places = chips.map((chip) => ({ left: chip.offsetLeft, top: chip.offsetTop }));
    const next = nextChip(key, at, places);
    if (next < 0) return;
    chips[next].focus();
    chips[next].scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  event.preventDefault();
}

/**
 * Which chip a key leads to; -1 for a key that means nothing here. Up and down go by rows where
 * there are several, else along the row.
 *
 * @param {string} key
 * @param {number} at
 * @param {{left: number, top: number}[]} places
 */
export function nextChip(key, at, places) {
  const last = places.length - 1;
  switch (key) {
    case "ArrowRight":
      return Math.min(last, at + 1);
    case "ArrowLeft":
      return Math.max(0, at - 1);
    case "Home":
      return 0;
    case "End":
      return last;
    case "ArrowDown":
    case "ArrowUp":
      return vertical(key === "ArrowDown" ? 1 : -1, at, places);
    default:
      return -1;
  }
}

/**
 * @param {1 | -1} by
 * @param {number} at
 * @param {{left: number, top: number}[]} places
 */
function vertical(by, at, places) {
  const { left, top } = places[at];
  const beyond = places.filter((place) => (place.top - top) * by > 0);
  if (beyond.length === 0) {
    const single = places.every((place) => place.top === top);
    return single ? Math.min(places.length - 1, Math.max(0, at + by)) : at;
  }
  const row =
    by > 0 ? Math.min(...beyond.map((p) => p.top)) : Math.max(...beyond.map((p) => p.top));
  let best = at;
  let distance = Number.POSITIVE_INFINITY;
  places.forEach((place, index) => {
    const away = Math.abs(place.left - left);
    if (place.top === row && away < distance) {
      best = index;
      distance = away;
    }
  });
  return best;
}
