/**
 * Which part of the x axis is in view: all of it, what is around an onset, or what a person chose.
 *
 * @import { Placement } from "../data/axes.js"
 * @import { Axis } from "./axis.js"
 * @import { Finding, Series, View, XAxis } from "../types.js"
 */
import { place } from "../data/axes.js";
import { stepNumber } from "../format/steps.js";

/** How much of all there is the stretch around the onset may be, and still be worth showing alone. */
const WORTH = 0.8;
/** Records before and after the onset that are shown at least. */
const RECORDS_AROUND = 6;
/** How far the stretch reaches to both sides where the loss stays finite, as a share of the run. */
const REACH = 0.12;
/** How much of the run, at its end, is shown to who follows it. */
const NEWEST = 0.25;
/** How far beyond the first loss that is not finite, as a share of the way to it. */
const BEYOND = 0.2;

/**
 * The stretch around the onset of a finding: as far back as forward, and a little beyond the step at
 * which the loss is lost.
 *
 * @param {Finding | null} finding
 * @param {Series[]} series
 * @param {Placement} placement
 * @param {[number, number]} whole
 * @returns {{window: [number, number], lost: boolean} | null} `lost`: most of the run is not finite.
 */
export function onsetOf(finding, series, placement, whole) {
  const loss = series.find((one) => one.name === "loss");
  const onset = finding ? placement.fromStep(stepNumber(finding.first_step)) : Number.NaN;
  const xs = (loss && placement.x.get(loss.name)) ?? [];
  if (!loss || !Number.isFinite(onset) || xs.length < 2 || onset < whole[0] || onset > whole[1]) {
    return null;
  }
  const around = windowAround(onset, xs, lostAt(loss, xs), whole);
  return around;
}

/**
 * Where the loss is no longer finite, for good; null where it ends finite.
 *
 * @param {Series} loss
 * @param {number[]} xs
 */
function lostAt({ nonfinite, values }, xs) {
  const bad = new Set(nonfinite.map(([index]) => index));
  let at = values.length;
  while (at > 0 && bad.has(at - 1)) at -= 1;
  return at < values.length ? xs[at] : null;
}

/**
 * @param {number} onset
 * @param {number[]} xs  Of the records of the loss, increasing.
 * @param {number | null} lost
 * @param {[number, number]} whole
 * @returns {{window: [number, number], lost: boolean} | null}
 */
export function windowAround(onset, xs, lost, [first, last]) {
  const gaps = xs.slice(1).map((x, index) => x - xs[index]);
  const gap = gaps.sort((a, b) => a - b)[gaps.length >> 1] ?? 1;
  const after = lost !== null && lost >= onset ? lost - onset : REACH * (last - first);
  const reach = Math.max(RECORDS_AROUND * gap, after);
  const start = Math.max(first, onset - reach);
  const end = onset + reach + (lost === null ? 0 : BEYOND * (onset + reach - start));
  const stop = Math.min(last, end);
  if (stop - start > WORTH * (last - first) || !(stop > start)) return null;
  return { window: [start, stop], lost: lost !== null && last - lost > (last - first) / 2 };
}

/**
 * What of the axis is in view. A run that is mostly lost opens around its onset.
 *
 * @param {View["zoom"]} zoom
 * @param {[number, number]} whole
 * @param {[number, number] | null} onset
 * @param {boolean} lost
 * @returns {[number, number]}
 */
export function inView(zoom, whole, onset, lost) {
  if (Array.isArray(zoom)) return zoom[0] < whole[1] && zoom[1] > whole[0] ? zoom : whole;
  if (zoom === "newest") return [whole[1] - NEWEST * (whole[1] - whole[0]), whole[1]];
  return onset && (zoom === "onset" || (zoom === null && lost)) ? onset : whole;
}

/**
 * A stretch on one axis, on another.
 *
 * @param {View["zoom"]} zoom
 * @param {Series[]} series
 * @param {Axis} axis  The one it is on.
 * @param {XAxis} next
 * @returns {View["zoom"]} null where the other axis has no place for it.
 */
export function zoomOn(zoom, series, { toStep }, next) {
  if (!Array.isArray(zoom)) return zoom;
  const { fromStep } = place(series, next);
  const [from, to] = zoom.map((x) => fromStep(toStep(x)));
  return from < to ? [from, to] : null;
}
