/**
 * Flags on a line chart where findings begin: a vertical line each, and a label that is a button.
 * Labels have a strip of their own above the plot: they hide no data, and no curve reads as theirs.
 * One that would overlap moves to the next lane; one without a free lane is left to the line.
 *
 * @import { Frame } from "./line_scales.js"
 * @import { Flag } from "./line.js"
 */
import { iconElement } from "../views/icon.js";

const LANE_HEIGHT = 20;
const LANES = 3;
const GAP = 6;
/** Lines closer than this, in CSS pixels, share a place: their labels may stand side by side. */
const TOGETHER = 4;

/**
 * @typedef {{left: number, right: number, line: number, lane: number}} Placed
 */

/**
 * Where a label goes: to the right of its line, to the left where it does not fit; beside one that
 * begins at the same place. It is cut only where neither side has room for it.
 *
 * @param {number} line Distance of the line from the plot's left edge.
 * @param {number} size Width of the whole label.
 * @param {number} width Of the plot.
 * @param {Placed[]} taken
 * @returns {Placed | null} null without a free lane.
 */
export function placeLabel(line, size, width, taken) {
  const fits = line + 3 + size <= width;
  const before = !fits && (line - 3 - size >= 0 || line > width / 2);
  const left = before ? Math.max(0, line - 3 - size) : line + 3;
  const right = before ? line - 3 : Math.min(width, left + size);
  for (let lane = 0; lane < LANES; lane += 1) {
    const here = taken.filter((other) => other.lane === lane);
    const free = (/** @type {number} */ from, /** @type {number} */ to) =>
      here.every((other) => other.right + GAP <= from || other.left >= to + GAP);
    if (free(left, right)) return { left, right, line, lane };
    const beside = here
      .filter((other) => Math.abs(other.line - line) < TOGETHER && other.left >= line - TOGETHER)
      .map((other) => other.right + GAP)
      .find((start) => start + size <= width && free(start, start + size));
    if (beside !== undefined) return { left: beside, right: beside + size, line, lane };
  }
  return null;
}

/**
 * @param {HTMLElement} over The plot.
 * @param {Frame} frame
 * @param {Flag[]} flags
 * @param {((id: string) => void) | null} onFlag
 * @returns {number} Height of the strip above the plot that the labels need.
 */
export function flagElements(over, { plot, toX }, flags, onFlag) {
  const layer = document.createElement("div");
  layer.className = "flags";
  over.append(layer);
  const { width } = plot;
  // The selected flag first, it gets a lane for sure; then in the order of the findings.
  const ordered = [...flags].sort((a, b) => Number(b.selected) - Number(a.selected));
  const taken = /** @type {Placed[]} */ ([]);
  for (const flag of ordered) {
    const left = toX(flag.x) - plot.left;
    if (!(left >= -1) || left > width + 1) continue;
    const line = document.createElement("i");
    line.className = `flag-line ${flag.verdict}${flag.selected ? " selected" : ""}`;
    line.style.left = `${left}px`;
    const label = flagLabel(flag, onFlag);
    layer.append(line, label);
    const placed = placeLabel(left, Math.ceil(label.getBoundingClientRect().width), width, taken);
    if (!placed) {
      label.remove();
      continue;
    }
    taken.push(placed);
    label.style.left = `${placed.left}px`;
    label.style.top = `${placed.lane * LANE_HEIGHT}px`;
    label.style.maxWidth = `${placed.right - placed.left}px`;
  }
  const strip = LANE_HEIGHT * Math.max(0, ...taken.map(({ lane }) => lane + 1));
  layer.style.top = `${-strip}px`;
  return strip;
}

/**
 * @param {Flag} flag
 * @param {((id: string) => void) | null} onFlag
 */
function flagLabel(flag, onFlag) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `flag ${flag.verdict}${flag.selected ? " selected" : ""}`;
  const text = document.createElement("span");
  text.textContent = flag.label;
  button.append(iconElement(flag.verdict), text);
  button.title = flag.label;
  // The chart beneath would take the press for the beginning of a zoom.
  button.addEventListener("pointerdown", (event) => event.stopPropagation());
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    onFlag?.(flag.id);
  });
  return button;
}
