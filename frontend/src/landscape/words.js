/**
 * Statistics and comparisons in words. A difference is claimed only where it exceeds the spread
 * between pairs of directions.
 *
 * @import { Landscape, Spread } from "./types.js"
 */
import { formatNumber, formatPercent } from "../format/numbers.js";

/** What the spread covers, and what it does not. */
export const SPREAD =
  "± is the standard deviation between pairs of directions (of λmax: between halves of the samples) " +
  "at these weights. Another training of the same model can differ by more.";

/** What each statistic means, beside its number. */
const MEANINGS = /** @type {Record<string, string>} */ ({
  basin_share: "of the plane is connected to the final weights through losses below the level",
  below_level: "of the plane has a loss below the level",
  nonconvex_share: "of the plane has negative curvature in some direction",
  curvature_ratio: "0: convex everywhere; 1: as much negative as positive curvature",
  roughness: "mean absolute second derivative of the log loss",
  width: "of the slices through the final weights, at the level",
  finite_share: "of the points have a finite loss",
  uphill_share: "of the segments of the path raise the loss",
});

/** Those that are always shown; the others only where they say something. */
const SHOWN = ["basin_share", "nonconvex_share", "roughness", "width", "uphill_share"];

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} title
 * @property {string} value
 * @property {string} meaning
 * @property {number | null} part  Of a bar, for shares.
 */

/**
 * @param {Landscape} landscape
 * @param {Record<string, {title: string, share: boolean}>} titles
 * @returns {Row[]}
 */
export function rowsOf(landscape, titles) {
  const ids = [...SHOWN];
  if ((landscape.statistics.finite_share?.mean ?? 1) < 1) ids.push("finite_share");
  return ids.flatMap((id) => {
    const spread = landscape.statistics[id];
    if (!spread || spread.mean === null) return [];
    const share = titles[id]?.share ?? false;
    const bound = id === "width" && (landscape.statistics.width_is_bound?.mean ?? 0) > 0;
    return [
      {
        id,
        title: titles[id]?.title ?? id,
        value: `${bound ? "≥ " : ""}${spreadText(spread, share)}`,
        meaning: MEANINGS[id] ?? "",
        part: share ? spread.mean : null,
      },
    ];
  });
}

/**
 * A mean with its standard deviation between pairs: `41% ± 2%`.
 *
 * @param {Spread} spread
 * @param {boolean} share
 */
export function spreadText({ mean, deviation }, share) {
  const text = (/** @type {number | null} */ value) =>
    share ? formatPercent(value === null ? null : round(value)) : formatNumber(value);
  if (deviation === null) return text(mean);
  return `${text(mean)} ± ${share ? text(deviation) : formatNumber(deviation, 2)}`;
}

/** @param {number} share */
function round(share) {
  return Number(share.toFixed(3));
}

/**
 * What sets two landscapes apart, in one sentence; or that nothing does.
 *
 * @param {{run: string, landscape: Landscape}} first
 * @param {{run: string, landscape: Landscape}} second
 */
export function comparison(first, second) {
  const found = [];
  const sharper = ratio(first.landscape.sharpness?.largest, second.landscape.sharpness?.largest);
  if (sharper) {
    const [high, low] = sharper.first ? [first, second] : [second, first];
    found.push(
      `The minimum of ${high.run} is ${formatNumber(sharper.times, 2)} times sharper than that of ${low.run}.`,
    );
  }
  for (const [id, words] of /** @type {const} */ ([
    ["basin_share", "basin is larger"],
    ["nonconvex_share", "surface is less convex"],
  ])) {
    const apart = difference(first.landscape.statistics[id], second.landscape.statistics[id]);
    if (!apart) continue;
    const [high, low] = apart > 0 ? [first, second] : [second, first];
    const shares = [high, low].map(({ landscape }) =>
      formatPercent(round(landscape.statistics[id].mean ?? 0)),
    );
    found.push(`${capital(high.run)}’s ${words}: ${shares[0]} against ${shares[1]}.`);
  }
  return found.length
    ? `${found.join(" ")} This compares the two sets of weights; other trainings may differ.`
    : "No statistic differs by more than its standard deviation over pairs of directions.";
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * How many times larger one spread is, where they do not overlap.
 *
 * @param {Spread | undefined} a
 * @param {Spread | undefined} b
 * @returns {{times: number, first: boolean} | null}
 */
function ratio(a, b) {
  const apart = difference(a, b);
  if (!apart || !a?.mean || !b?.mean || a.mean <= 0 || b.mean <= 0) return null;
  return { times: Math.max(a.mean / b.mean, b.mean / a.mean), first: apart > 0 };
}

/**
 * The difference of two means, where it exceeds both spreads together; else 0. Without a spread
 * (one pair) nothing is claimed.
 *
 * @param {Spread | undefined} a
 * @param {Spread | undefined} b
 */
export function difference(a, b) {
  if (a?.mean == null || b?.mean == null || a.deviation === null || b.deviation === null) return 0;
  const apart = a.mean - b.mean;
  return Math.abs(apart) > 2 * Math.hypot(a.deviation, b.deviation) ? apart : 0;
}
