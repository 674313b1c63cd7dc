/**
 * The loss along each direction through the end, as small charts of one scale.
 *
 * @import { Plane } from "./types.js"
 */
import { html, nothing, svg } from "lit-html";
import { formatNumber, formatPercent } from "../format/numbers.js";
import { positionOn, sliceOf } from "./grid.js";

/** Above the picture, which cuts off what does not fit: a line along its edge would be a loss. */
const BEYOND = -20;
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [300, 128, 40, 20, 8];

/**
 * @param {Plane} plane
 * @param {0 | 1} direction
 * @param {{low: number, high: number}} range  Of all slices on screen.
 */
export function slice(plane, direction, range) {
  const { at, loss } = sliceOf(plane, direction);
  const across = (/** @type {number} */ value) => LEFT + positionOn(at, value) * (WIDTH - LEFT - 6);
  const up = (/** @type {number} */ value) =>
    HEIGHT - BOTTOM - ((value - range.low) / (range.high - range.low)) * (HEIGHT - BOTTOM - TOP);
  const label = plane.labels[direction];
  const share = plane.explained[direction];
  const ticks = [range.low, (range.low + range.high) / 2, range.high];
  const end = loss[at.findIndex((value) => Math.abs(value) < 1e-12)] ?? null;
  return html`<figure class="slice">
    <figcaption>Slice along ${label}${share ? html` <span class="soft">· ${formatPercent(share)} of the path’s variance</span>` : nothing}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Loss along ${label}: ${formatNumber(end)} at the end, from ${formatNumber(Math.min(...finite(loss)))} to ${formatNumber(Math.max(...finite(loss)))}">
      ${ticks.map(
        (tick) => svg`<path class="grid" d="M${LEFT} ${up(tick)}H${WIDTH - 6}"></path>
          <text x=${LEFT - 6} y=${up(tick) + 4} text-anchor="end">${formatNumber(tick, 2)}</text>`,
      )}
      <path class="end" d="M${across(0)} ${TOP}V${HEIGHT - BOTTOM}"></path>
      <path class="loss" d=${line(at, loss, across, up)}></path>
      ${end === null || end > range.high ? nothing : svg`<circle cx=${across(0)} cy=${up(end)} r="4"></circle>`}
      <text x=${LEFT} y=${HEIGHT - 5}>${formatNumber(at[0], 2)}</text>
      <text x=${across(0)} y=${HEIGHT - 5} text-anchor="middle">${Math.abs(across(0) - LEFT) > 40 && WIDTH - across(0) > 46 ? "end" : ""}</text>
      <text x=${WIDTH - 6} y=${HEIGHT - 5} text-anchor="end">${formatNumber(at.at(-1) ?? 0, 2)}</text>
    </svg>
  </figure>`;
}

/**
 * The range of the slices of several planes: from the lowest loss to the highest, or to what nearly
 * all stay below.
 *
 * @param {Plane[]} planes
 */
export function rangeOf(planes) {
  const losses = planes
    .flatMap((plane) => [sliceOf(plane, 0).loss, plane.y ? sliceOf(plane, 1).loss : []].flat())
    .filter((loss) => loss !== null)
    .sort((a, b) => a - b);
  const low = Math.min(0, losses[0] ?? 0);
  const high = losses[Math.floor(0.95 * (losses.length - 1))] ?? 1;
  return { low, high: high > low ? high : low + 1 };
}

/** @param {(number | null)[]} loss */
function finite(loss) {
  const found = /** @type {number[]} */ (loss.filter((one) => one !== null));
  return found.length ? found : [Number.NaN];
}

/**
 * @param {number[]} at
 * @param {(number | null)[]} loss
 * @param {(value: number) => number} across
 * @param {(value: number) => number} up
 */
function line(at, loss, across, up) {
  let open = false;
  const parts = at.map((value, index) => {
    const here = loss[index];
    if (here === null) {
      open = false;
      return "";
    }
    const part = `${open ? "L" : "M"}${across(value).toFixed(1)} ${Math.max(BEYOND, up(here)).toFixed(1)}`;
    open = true;
    return part;
  });
  return parts.join("");
}
