/**
 * The keyboard on a line chart: arrow keys move the cursor from point to point and say what stands
 * there, Enter selects the step, plus and minus zoom.
 *
 * @import { Line, LineProps } from "./line.js"
 */
import { extentOf } from "../data/curves.js";
import { formatNumber, formatPercent } from "../format/numbers.js";

/** Points that Page Up and Page Down pass. */
const LEAP = 10;

/**
 * @param {HTMLElement} element Outlives the plots drawn into it.
 * @param {() => LineProps | null} current
 * @param {(x: number | null) => void} point Shows the cursor there.
 * @param {(step: number | null) => void} moveTo Puts the cursor of all views there.
 */
export function listenToKeys(element, current, point, moveTo) {
  element.tabIndex = 0;
  element.setAttribute("role", "application");
  element.setAttribute("aria-roledescription", "line chart");
  const live = document.createElement("p");
  live.className = "hidden-label";
  live.setAttribute("aria-live", "polite");
  /** Where the keyboard is on the x axis. @type {number | null} */
  let place = null;

  /** @param {LineProps} props @param {number} x */
  function go(props, x) {
    place = x;
    const step = props.toStep(x);
    if (Number.isFinite(step)) moveTo(step);
    point(x);
    live.textContent = spoken(props, x);
  }

  element.addEventListener("keydown", (event) => {
    const props = current();
    if (!props || event.target !== element || event.ctrlKey || event.metaKey || event.altKey)
      return;
    const xs = pointsOf(props);
    if (xs.length === 0) return;
    const at = place ?? props.mark ?? xs[xs.length - 1];
    const next = moved(event.key, xs, at, place === null);
    if (event.shiftKey && panned(event.key, props)) event.preventDefault();
    else if (next !== null) go(props, next);
    else if ((event.key === "Enter" || event.key === " ") && props.onPick && place !== null) {
      const step = props.toStep(place);
      if (Number.isFinite(step)) props.onPick(step);
    } else if (!zoomed(event.key, props, at)) return;
    event.preventDefault();
  });
  element.addEventListener("blur", () => {
    if (place === null) return;
    place = null;
    live.textContent = "";
    point(null);
    moveTo(null);
  });
  return live;
}

/**
 * The places where there are points in view, of all lines.
 *
 * @param {LineProps} props
 */
export function pointsOf({ lines, extent: [low, high] }) {
  const found = new Set();
  for (const line of lines) {
    for (const x of line.x) if (x >= low && x <= high) found.add(x);
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * @param {string} key
 * @param {number[]} xs Increasing, not empty.
 * @param {number} at
 * @param {boolean} first Whether the keyboard has no place yet: then any movement begins at `at`.
 * @returns {number | null} null for a key that moves nothing.
 */
export function moved(key, xs, at, first) {
  const last = xs.length - 1;
  if (key === "Home") return xs[0];
  if (key === "End") return xs[last];
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -LEAP, PageDown: LEAP }[key];
  if (by === undefined) return null;
  const index = nearest(xs, at);
  return xs[Math.min(last, Math.max(0, index + (first ? 0 : by)))];
}

/** How much of what is in view one key moves it by. */
const PAN = 0.25;

/**
 * Arrow keys with Shift move what is in view.
 *
 * @param {string} key
 * @param {LineProps} props
 */
function panned(key, { onZoom, extent: [low, high] }) {
  const by = { ArrowLeft: -PAN, ArrowRight: PAN }[key];
  if (!onZoom || by === undefined) return false;
  const far = by * (high - low);
  onZoom([low + far, high + far]);
  return true;
}

/** @param {number[]} xs @param {number} at */
function nearest(xs, at) {
  let best = 0;
  for (let index = 1; index < xs.length; index += 1) {
    if (Math.abs(xs[index] - at) < Math.abs(xs[best] - at)) best = index;
  }
  return best;
}

/**
 * @param {string} key
 * @param {LineProps} props
 * @param {number} at
 * @returns {boolean} Whether the key was one of the zoom's.
 */
function zoomed(key, { onZoom, lines, extent: [low, high] }, at) {
  const factor = { "+": 0.5, "=": 0.5, "-": 2, 0: Infinity }[key];
  if (!onZoom || factor === undefined) return false;
  const width = (high - low) * factor;
  const left = at - ((at - low) / (high - low)) * width;
  const whole = extentOf(lines.map((line) => line.x));
  const all = !whole || width >= whole[1] - whole[0];
  onZoom(all ? null : [left, left + width]);
  return true;
}

/**
 * What stands at `x`: each line's value, once a line.
 *
 * @param {LineProps} props
 * @param {number} x
 */
export function spoken({ lines, formatX, formatY, unit = "" }, x) {
  const write = formatY === formatPercent ? formatPercent : formatNumber;
  const shown = lines.filter((line) => line.alpha === undefined);
  const values = shown.flatMap((line) => {
    // What was measured is said, not its smoothed form.
    const raw = lines.find((other) => other.id === `${line.id} raw`);
    const value = valueAt(raw ? { ...raw, bad: line.bad } : line, x, write);
    return value === null ? [] : [`${line.label} ${value}`];
  });
  return `${unit} ${formatX(x)}: ${values.join(", ") || "no value"}`.trim();
}

/**
 * @param {Line} line
 * @param {number} x
 * @param {(value: number) => string} write
 */
function valueAt(line, x, write) {
  const bad = line.bad.find((one) => one.x === x);
  if (bad) return BAD[bad.kind];
  const index = line.x.indexOf(x);
  if (index < 0) return null;
  const [low, high] = [(line.read ?? line.y)[index], line.high?.[index]];
  if (low === null || low === undefined) return null;
  return high === null || high === undefined || high === low
    ? write(low)
    : `${write(low)} to ${write(high)}`;
}

const BAD = {
  NaN: "NaN",
  Infinity: "infinite",
  "-Infinity": "minus infinite",
  nonpositive: "zero or less",
};
