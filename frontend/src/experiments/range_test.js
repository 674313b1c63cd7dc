/**
 * The LR range test: the loss over the rate, and the rates that matter.
 *
 * @import { RangeTest, Sweep } from "./types.js"
 * @import { Frame } from "./sweep.js"
 */
import { html, nothing, svg } from "lit-html";
import { formatNumber, formatTick } from "../format/numbers.js";
import { sized } from "./sized.js";
import { frameOf, HEIGHT, nearest, pathOf } from "./sweep.js";

/**
 * @typedef {object} Acts
 * @property {(at: number | null, aloud: string) => void} point
 */

/**
 * @param {RangeTest} data
 * @param {number | null} cursor  Index of the rate that is read.
 * @param {Acts} acts
 */
export function rangeTest(data, cursor, acts) {
  if (!frameOf(data, 400)) return html`<p class="soft">No step of the sweep has a finite loss.</p>`;
  const read = (/** @type {number} */ at) => acts.point(at, reading(data, at));
  /** @param {PointerEvent} event */
  const follow = (event) => {
    const place = /** @type {HTMLElement} */ (event.currentTarget);
    const frame = frameOf(data, place.clientWidth);
    const x = event.clientX - place.getBoundingClientRect().left;
    if (frame) acts.point(nearest(data, x, frame), "");
  };
  /** @param {KeyboardEvent} event */
  const move = (event) => {
    const last = (data.curves[0]?.rates.length ?? 0) - 1;
    const at = cursor ?? 0;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    read(Math.min(last, Math.max(0, next)));
  };
  return html`<div class="chart" tabindex="0" role="img" data-testid="range-chart"
      aria-label="Loss over the learning rate. ${marks(data)
        .map(({ text, name }) => `${name}: ${text}`)
        .join(", ")}. Arrow keys read the curve."
      @pointermove=${follow} @pointerleave=${() => acts.point(null, "")} @keydown=${move}
      ${sized((width) => picture(data, cursor, width))}></div>
    <p class="readout" data-testid="range-readout" data-longest=${longest(data)}><span>${cursor === null ? HOW : reading(data, cursor)}</span></p>
    <ul class="marks-of-rates">
      ${marks(data).map(
        ({
          kind,
          name,
          text,
        }) => html`<li><svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">${symbol(kind, 8, 8)}</svg>
          <strong>${text}</strong> ${name}</li>`,
      )}
      ${data.unclipped ? html`<li><svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path class="smooth free" d="M0 8H16"></path></svg> without gradient clipping</li>` : nothing}
      ${data.curves.length > 1 ? html`<li class="soft">one line for each of ${data.curves.length} seeds</li>` : nothing}
    </ul>`;
}

const HOW = "Point at the chart, or use the arrow keys, to read it.";

/**
 * The longest text beneath the chart: room for it is kept, so that reading the curve moves nothing.
 *
 * @param {RangeTest} data
 */
function longest(data) {
  const texts = (data.curves[0]?.rates ?? []).map((_, at) => reading(data, at));
  return texts.reduce((most, text) => (text.length > most.length ? text : most), HOW);
}

/** @typedef {"suggested" | "stable" | "used"} Kind */

/**
 * The rates that matter, where they are known.
 *
 * @param {RangeTest} data
 * @returns {{kind: Kind, rate: number, text: string, name: string}[]}
 */
export function marks(data) {
  const [low, high] = data.interval;
  const seeds =
    low != null && high != null && low < high
      ? ` (single seeds: ${formatNumber(low, 2)} to ${formatNumber(high, 2)})`
      : "";
  /** @type {[Kind, number | null, string][]} */
  const all = [
    ["suggested", data.suggested, `suggested${seeds}`],
    ["stable", data.highest_stable, "highest stable rate"],
    ["used", data.rate_in_use, "in use"],
  ];
  return all.flatMap(([kind, rate, name]) =>
    rate !== null && rate > 0 ? [{ kind, rate, text: formatNumber(rate, 2), name }] : [],
  );
}

/**
 * @param {RangeTest} data
 * @param {number} at
 */
export function reading(data, at) {
  const rate = data.curves[0]?.rates[at] ?? null;
  const losses = data.curves.map(({ losses, smoothed }) => {
    const [raw, smooth] = [losses[at], smoothed[at]];
    return smooth == null
      ? "diverged"
      : `${formatNumber(smooth)} smoothed, ${formatNumber(raw ?? null)} recorded`;
  });
  return `Learning rate ${formatNumber(rate, 2)}: loss ${losses.join("; ")}`;
}

/**
 * @param {RangeTest} data
 * @param {number | null} cursor
 * @param {number} width
 */
function picture(data, cursor, width) {
  const frame = frameOf(data, width);
  if (!frame) return nothing;
  const { plot, across, up } = frame;
  const stable = data.highest_stable;
  const at = cursor === null ? null : (data.curves[0]?.rates[cursor] ?? null);
  return html`<svg width=${width} height=${HEIGHT} viewBox="0 0 ${width} ${HEIGHT}" aria-hidden="true">
    ${stable !== null && stable > 0 && stable < frame.rates[1] ? unstable(across(stable), plot) : nothing}
    ${frame.yTicks.map(
      (tick) => svg`<path class="grid" d="M${plot.left} ${up(tick)}H${plot.right}"></path>
        <text x=${plot.left - 6} y=${up(tick) + 4} text-anchor="end">${formatTick(tick)}</text>`,
    )}
    ${frame.xTicks.map(
      (tick) =>
        svg`<text x=${across(tick)} y=${plot.bottom + 16} text-anchor="middle">${formatTick(tick)}</text>`,
    )}
    <text x=${plot.left} y="12">${frame.log ? "loss, log scale" : "loss"}</text>
    <text x=${plot.right} y=${HEIGHT - 6} text-anchor="end">learning rate</text>
    <svg x=${plot.left} y=${plot.top} width=${plot.right - plot.left} height=${plot.bottom - plot.top}
      viewBox="${plot.left} ${plot.top} ${plot.right - plot.left} ${plot.bottom - plot.top}">
      ${data.unclipped ? lines(data.unclipped, frame, "free") : nothing} ${lines(data, frame, "")}
    </svg>
    ${marks(data).map(({ kind, rate, text }) => flag(kind, across(rate), text, frame))}
    ${at === null ? nothing : svg`<path class="cursor" d="M${across(at)} ${plot.top}V${plot.bottom}"></path>`}
  </svg>`;
}

/**
 * @param {number} x
 * @param {Frame["plot"]} plot
 */
function unstable(x, plot) {
  const room = plot.right - x > 120;
  return svg`<rect class="unstable" x=${x} y=${plot.top} width=${plot.right - x} height=${plot.bottom - plot.top}></rect>
    ${room ? svg`<text class="on-tint" x=${plot.right - 6} y=${plot.bottom - 8} text-anchor="end">loss climbs back here</text>` : nothing}`;
}

/**
 * @param {Sweep} sweep
 * @param {Frame} frame
 * @param {string} how
 */
function lines(sweep, frame, how) {
  return sweep.curves.map(
    ({ rates, losses, smoothed }) => svg`
      ${how ? nothing : svg`<path class="rough" d=${pathOf(rates, losses, frame)}></path>`}
      <path class="smooth ${how}" d=${pathOf(rates, smoothed, frame)}></path>`,
  );
}

/**
 * @param {Kind} kind
 * @param {number} x
 * @param {string} text
 * @param {Frame} frame
 */
function flag(kind, x, text, { plot }) {
  if (x < plot.left - 1 || x > plot.right + 1) return nothing;
  const plate = kind === "used";
  const wide = plate ? 8 + 6.2 * (text.length + 8) : 0;
  const left = Math.min(plot.right - wide, Math.max(plot.left, x - wide / 2));
  return svg`<path class="rate ${kind}" d="M${x} ${plot.top}V${plot.bottom}"></path>
    ${symbol(kind, x, plot.bottom)}
    ${
      plate
        ? svg`<rect class="plate" x=${left} y=${plot.top - 21} width=${wide} height="19" rx="3"></rect>
          <text class="on-plate" x=${left + wide / 2} y=${plot.top - 7} text-anchor="middle">in use: ${text}</text>`
        : nothing
    }`;
}

/**
 * @param {Kind} kind
 * @param {number} x
 * @param {number} y
 */
function symbol(kind, x, y) {
  if (kind === "suggested") return svg`<circle class="suggested" cx=${x} cy=${y} r="5"></circle>`;
  if (kind === "stable") return svg`<circle class="stable" cx=${x} cy=${y} r="4.5"></circle>`;
  return svg`<path class="used" d="M${x - 4} ${y - 5}h8l-4 9z"></path>`;
}
