/**
 * Flags on a line chart where findings begin: a vertical line each, and a label that is a button.
 * Labels that would overlap move to the next lane; those without a free lane are left to the line.
 *
 * @import { Frame } from "./line_scales.js"
 * @import { Flag } from "./line.js"
 */
import { iconElement } from "../views/icon.js";

const LANE_HEIGHT = 20;
const LANES = 3;
const GAP = 6;

/**
 * @param {HTMLElement} over The plot.
 * @param {Frame} frame
 * @param {Flag[]} flags
 * @param {number} top Where the first lane begins.
 * @param {((id: string) => void) | null} onFlag
 */
export function flagElements(over, { plot, toX }, flags, top, onFlag) {
  const layer = document.createElement("div");
  layer.className = "flags";
  over.append(layer);
  const { width } = plot;
  const ends = new Array(LANES).fill(-Infinity);
  // The selected flag first, it gets a lane for sure; then in the order of the findings.
  const ordered = [...flags].sort((a, b) => Number(b.selected) - Number(a.selected));
  const taken = /** @type {{left: number, right: number, lane: number}[]} */ ([]);
  for (const flag of ordered) {
    const left = toX(flag.x) - plot.left;
    if (!(left >= -1) || left > width + 1) continue;
    const line = document.createElement("i");
    line.className = `flag-line ${flag.verdict}${flag.selected ? " selected" : ""}`;
    line.style.left = `${left}px`;
    const label = flagLabel(flag, onFlag);
    layer.append(line, label);
    const size = label.offsetWidth;
    const start = left + size + GAP > width && left - size - GAP > 0 ? left - size - 3 : left + 3;
    const lane = ends.findIndex((_end, index) =>
      taken.every(
        (other) =>
          other.lane !== index || other.right + GAP < start || other.left > start + size + GAP,
      ),
    );
    if (lane < 0) {
      label.remove();
      continue;
    }
    taken.push({ left: start, right: start + size, lane });
    label.style.left = `${start}px`;
    label.style.top = `${lane * LANE_HEIGHT + top}px`;
  }
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
