/**
 * One landscape: contour, surface, slices, numbers.
 *
 * @import { Colors } from "./colors.js"
 * @import { Scale } from "./scale.js"
 * @import { Place, Plane, Reply, Turn } from "./types.js"
 */
import { html, nothing } from "lit-html";
import { capital } from "../format/names.js";
import { formatNumber, formatPercent } from "../format/numbers.js";
import { painted } from "./canvas.js";
import { drawContour, Frame } from "./contour.js";
import { endOf, nearestIndex, valueAt } from "./grid.js";
import { slice } from "./slices.js";
import { bounded, drawSurface } from "./surface.js";
import { rowsOf, SPREAD, spreadText } from "./words.js";

/**
 * @typedef {object} Shown
 * @property {"A" | "B"} side
 * @property {string} run
 * @property {Reply} reply
 * @property {Plane} plane
 * @property {Scale} scale
 * @property {{low: number, high: number}} range
 * @property {Colors} colors
 * @property {Turn} turn
 * @property {Place | null} cursor
 *
 * @typedef {object} Acts
 * @property {(side: "A" | "B", place: Place | null, aloud: boolean) => void} point
 * @property {(side: "A" | "B", turn: Turn) => void} turn
 */

/**
 * @param {Shown} shown
 * @param {Acts} acts
 */
export function panel(shown, acts) {
  const { side, run, reply, plane } = shown;
  const { landscape } = reply;
  return html`<section class="card ground" aria-label="Landscape ${side}: ${run}" data-testid="landscape-${side}">
    <h2><span class="side">${side}</span> ${run}
      <span class="soft">loss ${formatNumber(landscape.end_loss)} at the final weights · step ${formatNumber(reply.step)}</span></h2>
    ${plane.y ? pictures(shown, acts) : nothing}
    <div class="slices">
      ${slice(plane, 0, shown.range)} ${plane.y ? slice(plane, 1, shown.range) : nothing}
    </div>
    ${numbers(reply)}
    <ul class="notes">
      <li>${said(landscape)}</li>
      ${landscape.notes.map((note) => html`<li>${note}</li>`)}
    </ul>
  </section>`;
}

/** @param {Reply["landscape"]} landscape */
function said(landscape) {
  const how = `${landscape.evaluations.toLocaleString("en")} evaluations on ${landscape.samples.toLocaleString("en")} samples`;
  const level =
    landscape.level === null
      ? "The basin has no level"
      : `Level of the basin: ${formatNumber(landscape.level)} (${landscape.level_reason})`;
  const ended =
    landscape.complete === false ? " The budget ran out before all points were evaluated." : "";
  return `${how}. ${level}. A distance of 1 is the ${landscape.unit}.${ended}`;
}

/**
 * @param {Shown} shown
 * @param {Acts} acts
 */
function pictures(shown, acts) {
  const { side, plane, run } = shown;
  const { cursor } = shown;
  return html`<div class="pictures">
    <figure>
      <canvas class="contour" tabindex="0" role="img" data-testid="contour-${side}"
        aria-label="Contour of ${run}. ${where(plane, cursor ?? endOf(plane))}. Arrow keys move the cross."
        ${painted({ draw: (context, width, height) => drawContour(context, new Frame(plane, width, height), shown.scale, shown.colors, cursor) })}
        @pointermove=${(/** @type {PointerEvent} */ event) => acts.point(side, placeUnder(event, plane), false)}
        @pointerleave=${() => acts.point(side, null, false)}
        @keydown=${(/** @type {KeyboardEvent} */ event) => moveCross(event, shown, acts)}></canvas>
      <figcaption>→ ${plane.labels[0]} &nbsp; ↑ ${plane.labels[1]}</figcaption>
    </figure>
    <figure>
      <canvas class="surface" tabindex="0" role="img" data-testid="surface-${side}"
        aria-label="Surface of ${run}. Arrow keys turn it, plus and minus change its size."
        ${painted({ draw: (context, width, height) => drawSurface(context, plane, { ...shown, width, height }) })}
        @pointerdown=${(/** @type {PointerEvent} */ event) => grab(event, shown, acts)}
        @wheel=${{ handleEvent: (/** @type {WheelEvent} */ event) => zoom(event, shown, acts), passive: false }}
        @keydown=${(/** @type {KeyboardEvent} */ event) => turnByKey(event, shown, acts)}></canvas>
      <figcaption class="soft">drag or arrow keys: turn · + and −: size · height: log loss</figcaption>
    </figure>
    <p class="readout" data-longest=${longest(plane)}><span>${where(plane, cursor ?? endOf(plane))}</span></p>
  </div>`;
}

/**
 * The longest text of a point: room for it is kept, so that pointing moves nothing. Of the grid its
 * diagonals: they pass through low and high losses.
 *
 * @param {Plane} plane
 */
function longest(plane) {
  const last = (plane.y ?? [0]).length - 1;
  const texts = plane.x.flatMap((_, i) =>
    [Math.min(i, last), Math.max(0, last - i)].map((j) => where(plane, { i, j })),
  );
  return texts.reduce((most, text) => (text.length > most.length ? text : most), "");
}

/**
 * A point of the grid in words.
 *
 * @param {Plane} plane
 * @param {Place} place
 */
export function where(plane, place) {
  const y = plane.y ?? [0];
  const end = endOf(plane);
  const loss = valueAt(plane, place);
  const others = Object.keys(plane.values)
    .filter((name) => name !== "loss")
    .map((name) => {
      const value = valueAt(plane, place, name);
      const text = name.endsWith("accuracy") ? formatPercent(value) : formatNumber(value);
      return `${name.replaceAll("_", " ")} ${value === null ? "not finite" : text}`;
    });
  const at =
    place.i === end.i && place.j === end.j
      ? "At the final weights"
      : `At ${formatNumber(plane.x[place.i], 2)}, ${formatNumber(y[place.j], 2)}`;
  return [`${at}: loss ${loss === null ? "not finite" : formatNumber(loss)}`, ...others].join(", ");
}

/**
 * @param {PointerEvent} event
 * @param {Plane} plane
 * @returns {Place}
 */
function placeUnder(event, plane) {
  const canvas = /** @type {HTMLCanvasElement} */ (event.currentTarget);
  const box = canvas.getBoundingClientRect();
  const frame = new Frame(plane, box.width, box.height);
  const { x, y } = frame.parts(event.clientX - box.left, event.clientY - box.top);
  return { i: nearestIndex(plane.x, x), j: nearestIndex(/** @type {number[]} */ (plane.y), y) };
}

const STEPS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
});

/**
 * @param {KeyboardEvent} event
 * @param {Shown} shown
 * @param {Acts} acts
 */
function moveCross(event, { side, plane, cursor }, acts) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Home") {
    event.preventDefault();
    return acts.point(side, endOf(plane), true);
  }
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const from = cursor ?? endOf(plane);
  const y = /** @type {number[]} */ (plane.y);
  const by = event.shiftKey ? 5 : 1;
  const next = (/** @type {number} */ value, /** @type {number} */ size) =>
    Math.min(size - 1, Math.max(0, value));
  acts.point(
    side,
    { i: next(from.i + by * step[0], plane.x.length), j: next(from.j + by * step[1], y.length) },
    true,
  );
}

/**
 * @param {KeyboardEvent} event
 * @param {Shown} shown
 * @param {Acts} acts
 */
function turnByKey(event, { side, turn }, acts) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const step = STEPS[event.key];
  const sizes = /** @type {Record<string, number>} */ ({ "+": 1.15, "=": 1.15, "-": 1 / 1.15 });
  if (!step && !sizes[event.key]) return;
  event.preventDefault();
  event.stopPropagation();
  acts.turn(
    side,
    bounded({
      yaw: turn.yaw + (step ? -step[0] * 0.12 : 0),
      pitch: turn.pitch + (step ? -step[1] * 0.08 : 0),
      zoom: turn.zoom * (sizes[event.key] ?? 1),
    }),
  );
}

/**
 * @param {PointerEvent} event
 * @param {Shown} shown
 * @param {Acts} acts
 */
function grab(event, { side, turn }, acts) {
  const canvas = /** @type {HTMLCanvasElement} */ (event.currentTarget);
  canvas.setPointerCapture(event.pointerId);
  const [left, top] = [event.clientX, event.clientY];
  const move = (/** @type {PointerEvent} */ now) =>
    acts.turn(
      side,
      bounded({
        yaw: turn.yaw + (now.clientX - left) * -0.01,
        pitch: turn.pitch + (now.clientY - top) * 0.008,
        zoom: turn.zoom,
      }),
    );
  const release = () => {
    canvas.removeEventListener("pointermove", move);
    canvas.removeEventListener("pointerup", release);
    canvas.removeEventListener("pointercancel", release);
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
}

/**
 * The wheel changes the size where the surface has the focus; else the page scrolls as usual.
 *
 * @param {WheelEvent} event
 * @param {Shown} shown
 * @param {Acts} acts
 */
function zoom(event, { side, turn }, acts) {
  if (document.activeElement !== event.currentTarget) return;
  event.preventDefault();
  acts.turn(side, bounded({ ...turn, zoom: turn.zoom * Math.exp(-event.deltaY * 0.001) }));
}

/** @param {Reply} reply */
function numbers({ landscape, titles }) {
  const { sharpness } = landscape;
  return html`<table class="numbers">
    <caption class="hidden-label">Statistics of the landscape</caption>
    <thead class="hidden-label"><tr><th>Statistic</th><th>Share</th><th>Value</th><th>Meaning</th></tr></thead>
    <tbody>
      ${
        sharpness
          ? html`<tr><th scope="row">Sharpness λ<sub>max</sub></th>
            <td>${limitBar(sharpness)}</td>
            <td class="value">${spreadText(sharpness.largest, false)}</td>
            <td class="soft">${sharpness.text}</td></tr>`
          : nothing
      }
      ${rowsOf(landscape, titles).map(
        (row) => html`<tr data-id=${row.id}><th scope="row">${capital(row.title)}</th>
          <td>${row.part === null ? nothing : shareBar(row.part, `${row.title}, ${row.value}`)}</td>
          <td class="value">${row.value}</td><td class="soft">${row.meaning}</td></tr>`,
      )}
    </tbody>
  </table>
  ${landscape.planes.length > 1 ? html`<p class="soft" data-testid="spread">${SPREAD}</p>` : nothing}`;
}

/**
 * @param {number} part
 * @param {string} label
 */
function shareBar(part, label) {
  return html`<svg class="share" viewBox="0 0 120 10" role="img" aria-label=${label}>
    <rect class="all" x="4" y="2" width="112" height="6" rx="3"></rect>
    <rect class="part" x="4" y="2" width=${112 * Math.min(1, Math.max(0, part))} height="6" rx="3"></rect>
  </svg>`;
}

/**
 * Where the sharpness stands against the limit 2 / learning rate, on a logarithmic bar from a
 * hundredth of the limit to a hundred times it. Above is no verdict: the text says so.
 *
 * @param {import("./types.js").Sharpness} sharpness
 */
function limitBar({ largest, rate, verdict }) {
  if (!rate || !largest.mean || largest.mean <= 0) return nothing;
  const part = Math.log10((largest.mean * rate) / 2) / 4 + 0.5;
  const left = 4 + 112 * Math.min(1, Math.max(0, part));
  return html`<svg class="limit" viewBox="0 0 120 16" role="img"
      aria-label="λ max is ${formatNumber((largest.mean * rate) / 2, 2)} times 2 / learning rate">
    <rect class="below" x="4" y="5" width="56" height="6"></rect>
    <rect class="above" x="60" y="5" width="56" height="6"></rect>
    <path class="bar" d="M60 1V15"></path>
    <path class=${verdict === "acquitted" ? "mark fine" : "mark"} d="M${left} 3l5 5l-5 5l-5 -5z"></path>
  </svg>`;
}
