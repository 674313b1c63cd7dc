/**
 * The ablation: what each change alone does to the result, with its interval.
 *
 * @import { Ablation, Effect } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { capital, visible } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { amount, change, finite, mean, measureName } from "./words.js";

/** @type {Record<string, [number, number]>} */
const LIMITS = { accuracy: [0, 1], R2: [Number.NEGATIVE_INFINITY, 1] };

/**
 * One line of the table, in the units that are shown.
 *
 * @typedef {object} Line
 * @property {string} title
 * @property {"unchanged" | "control" | ""} role
 * @property {(number | null)[]} values
 * @property {number | null} mean
 * @property {[number, number] | null} interval  Of the mean, from the paired differences.
 * @property {[number, number] | null} difference
 * @property {number | null} against  Mean difference from the unchanged program.
 * @property {"better" | "worse" | "no difference" | "diverges" | ""} word
 * @property {number} lost  Seeds that diverged.
 */

/**
 * Lines from best to worst, the unchanged program among them.
 *
 * @param {Ablation} data
 * @returns {Line[]}
 */
export function linesOf(data) {
  // Records hold losses with their sign changed, so that higher is better.
  const sign = data.measure === "loss" ? -1 : 1;
  const shown = (/** @type {(number | null)[]} */ values) =>
    values.map((value) => (value === null ? null : sign * value));
  const before = mean(data.unchanged);
  const own = shown(data.unchanged);
  /** @type {Line} */
  const unchanged = {
    ...{ title: "Unchanged", role: "unchanged", values: own, mean: mean(own), interval: null },
    ...{ difference: null, against: null, word: "", lost: own.length - finite(own).length },
  };
  const sorted = [...data.effects].sort((a, b) => rank(b) - rank(a));
  const lines = sorted.map((effect) => lineOf(effect, shown(effect.values), before, sign));
  const at = sorted.findIndex((effect) => rank(effect) < 0);
  lines.splice(at < 0 ? lines.length : at, 0, unchanged);
  return lines;
}

/** @param {Effect} effect */
function rank(effect) {
  return effect.mean ?? (effect.helps ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
}

/**
 * @param {Effect} effect
 * @param {(number | null)[]} values
 * @param {number | null} before
 * @param {number} sign
 * @returns {Line}
 */
function lineOf(effect, values, before, sign) {
  const { low, high, helps, hurts } = effect;
  const lost = values.length - finite(values).length;
  const known = low !== null && high !== null;
  const ends = known ? [sign * low, sign * high].sort((a, b) => a - b) : null;
  const difference = ends && /** @type {[number, number]} */ (ends);
  const base = before === null ? null : sign * before;
  return {
    title: effect.title,
    role: effect.control ? "control" : "",
    values,
    mean: mean(values),
    interval: difference && base !== null ? [base + difference[0], base + difference[1]] : null,
    difference,
    against: effect.mean === null ? null : sign * effect.mean,
    word: lost ? "diverges" : helps ? "better" : hurts ? "worse" : "no difference",
    lost,
  };
}

/**
 * From the lowest to the highest of what is drawn; what cannot be beyond 1 or below 0 is not.
 *
 * @param {Line[]} lines
 * @param {string} measure
 * @returns {[number, number]}
 */
export function extentOf(lines, measure) {
  const all = lines.flatMap(({ values, interval }) => [...finite(values), ...(interval ?? [])]);
  if (all.length === 0) return [0, 1];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = (high - low) * 0.04 || 0.5;
  const [least, most] = LIMITS[measure] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return [Math.max(least, low - room), Math.min(most, high + room)];
}

/** @param {Ablation} data */
export function ablation(data) {
  const { measure } = data;
  const lines = linesOf(data);
  const extent = extentOf(lines, measure);
  const unchanged = lines.find(({ role }) => role === "unchanged")?.mean ?? null;
  const lower = measure === "loss";
  const controls = lines.some(({ role }) => role === "control");
  return html`<div class="wide" tabindex="0" role="region" aria-label="Table of the ablation">
    <table class="ablation" data-testid="ablation">
      <thead><tr><th scope="col">Change</th>
        <th scope="col" class="axis-head"><span>${amount(extent[0])}</span>
          <span>${measureName(measure)}, ${lower ? "lower" : "higher"} is better</span>
          <span>${amount(extent[1])}</span></th>
        <th scope="col">${capital(measureName(measure))}</th>
        <th scope="col">Against unchanged</th></tr></thead>
      <tbody>${lines.map((line) => row(line, extent, unchanged))}</tbody>
    </table></div>
    <p class="note">Each change alone, ${counted(data.steps ?? 0, "step")}, ${counted(data.unchanged.length, "seed")}.
      Large dot: mean. Small dots: single seeds. Whisker: 95% interval of the paired difference from the
      unchanged program.${controls ? " A control should make it worse; if it does not, the experiment cannot tell changes apart." : ""}</p>
    ${leftOut(data)}`;
}

/**
 * @param {Line} line
 * @param {[number, number]} extent
 * @param {number | null} unchanged
 */
function row(line, extent, unchanged) {
  const { title, role, word, against, difference, lost, values } = line;
  return html`<tr class=${role}>
    <th scope="row">${capital(visible(title))}</th>
    <td class="plot">${plot(line, extent, unchanged)}</td>
    <td class="number">${amount(line.mean)}</td>
    <td class="against"><span class="word ${word.replace(" ", "-")}">${word === "diverges" ? `diverges in ${lost} of ${values.length}` : word || "–"}</span>
      ${
        against === null
          ? nothing
          : html`<span class="soft">${change(against)}${
              difference ? ` (${change(difference[0])} to ${change(difference[1])})` : ""
            }</span>`
      }</td>
  </tr>`;
}

/**
 * @param {Line} line
 * @param {[number, number]} extent
 * @param {number | null} unchanged
 */
function plot({ values, mean: middle, interval, word, role }, [low, high], unchanged) {
  const at = (/** @type {number} */ value) =>
    Math.min(100, Math.max(0, ((value - low) / (high - low)) * 100));
  const span = (/** @type {number} */ a, /** @type {number} */ b) =>
    `left:${Math.min(at(a), at(b))}%;width:${Math.abs(at(a) - at(b))}%`;
  return html`<span class="track ${word.replace(" ", "-")} ${role}" aria-hidden="true">
    ${unchanged === null ? nothing : html`<i class="zero" .style=${`left:${at(unchanged)}%`}></i>`}
    ${
      middle !== null && unchanged !== null && role !== "unchanged"
        ? html`<i class="gain" .style=${span(middle, unchanged)}></i>`
        : nothing
    }
    ${interval ? html`<i class="whisker" .style=${span(...interval)}></i>` : nothing}
    ${middle === null ? html`<i class="lost">no seed finished</i>` : html`<i class="mean" .style=${`left:${at(middle)}%`}></i>`}
    ${finite(values).map((value) => html`<i class="seed" .style=${`left:${at(value)}%`}></i>`)}
  </span>`;
}

/** @param {Ablation} data */
function leftOut({ left_out: left }) {
  if (left.length === 0) return nothing;
  return html`<details class="fold"><summary>${counted(left.length, "change")} not tried</summary>
    <dl>${left.map(({ id, reason }) => html`<dt>${visible(id).replaceAll("-", " ")}</dt><dd class="soft">${visible(reason)}</dd>`)}</dl></details>`;
}
