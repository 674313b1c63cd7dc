/**
 * How a variable started: the spread that was observed against what its initializer draws from, in
 * words and on a line.
 *
 * @import { Initialization, Row } from "../types.js"
 */
import { html, nothing, svg } from "lit-html";
import { visible } from "../format/names.js";
import { formatNumber } from "../format/numbers.js";
import { formatStep, stepNumber } from "../format/steps.js";

/**
 * @param {Initialization} start
 * @param {Row} row
 * @param {"step" | "epoch"} axis
 */
export function initializationView(start, row, axis) {
  return html`<figure class="small-chart start" data-testid="initialization">
    <figcaption><strong>Initialization</strong></figcaption>
    ${strip(start)}
    <p>${sentences(start, row, axis).join(" ")}</p>
  </figure>`;
}

/**
 * @param {Initialization} start
 * @param {Row} row
 * @param {"step" | "epoch"} axis
 * @returns {string[]}
 */
export function sentences(start, row, axis) {
  const { step, low, high, mean, healthy } = start;
  const around = mean === null ? "" : ` around a mean of ${formatNumber(mean)}`;
  const spread =
    low === high
      ? `of ${formatNumber(low)}`
      : `between ${formatNumber(low)} and ${formatNumber(high)}`;
  const late = stepNumber(step) > 0 || axis === "epoch";
  const said = [
    late
      ? `First recorded at ${axis} ${formatStep(step)}, so training may already have changed it: standard deviation ${spread}${around}.`
      : `Started with a standard deviation ${spread}${around}.`,
    theory(start, row),
  ];
  if (!healthy || late) return said;
  const beyond = (/** @type {string} */ what, /** @type {string} */ signals) =>
    said.push(`This is too ${what} for this shape: ${signals} from layer to layer.`);
  if (high < (healthy.low ?? 0))
    beyond("narrow", `below ${formatNumber(healthy.low)} signals fade`);
  if (low > (healthy.high ?? Infinity)) {
    beyond("wide", `above ${formatNumber(healthy.high)} signals grow`);
  }
  return said;
}

/**
 * @param {Initialization} start
 * @param {Row} row
 */
function theory({ low, high, expected, fans, verdict }, row) {
  const name = visible(row.initializer);
  if (!expected) {
    return name ? `The distribution of ${name} is unknown.` : "The initializer is unknown.";
  }
  if (expected.std === 0) {
    return `${name} sets all entries to one value${verdict === "wider" ? ", and they differ" : ""}.`;
  }
  const fan = fans && expected.formula.includes("fan") ? ` for ${inputsAndOutputs(fans)}` : "";
  const ratio = Math.sqrt(low * high) / expected.std;
  const { formula } = expected;
  // "stddev=1" says the number itself.
  const told = formula.includes("=") ? formula : `${formatNumber(expected.std)} = ${formula}`;
  return verdict === "as expected"
    ? `That matches ${name}: ${told}${fan}.`
    : `${name} gives ${told}${fan}. The recorded value is ${formatNumber(ratio, 2)} times that, ${verdict} than chance explains: something else set the weights, or they have changed since.`;
}

/** @param {[number, number]} fans */
function inputsAndOutputs([into, out]) {
  return `${formatNumber(into, 9)} inputs and ${formatNumber(out, 9)} outputs`;
}

const WIDTH = 240;
const HEIGHT = 44;
const MIDDLE = 15;
/** Room for a number of two digits with its power of ten. */
const LABEL_WIDTH = 36;

/** @param {Initialization} start */
function strip({ low, high, expected, healthy }) {
  const marks = [low, high, expected?.std, healthy?.low, healthy?.high];
  const known = marks.flatMap((value) => (typeof value === "number" && value > 0 ? [value] : []));
  if (!(high > 0) || known.length < 3) return nothing;
  const [least, most] = [Math.min(...known) / 1.5, Math.max(...known) * 1.5];
  const x = (/** @type {number} */ value) =>
    8 + (WIDTH - 16) * (Math.log(Math.max(value, least) / least) / Math.log(most / least));
  const [left, right] = [x(low), x(high)];
  const ticks = [expected?.std, healthy?.low, healthy?.high].flatMap((value) => value || []);
  // What is expected is said first: a label that would touch it is left out, its tick is not.
  const labeled = ticks.filter((value, index) =>
    ticks.slice(0, index).every((other) => Math.abs(x(value) - x(other)) >= LABEL_WIDTH),
  );
  return html`<svg class="strip" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"
      aria-label="Observed and expected standard deviation, on a logarithmic scale">
    ${
      healthy
        ? svg`<rect class="sound" x=${x(healthy.low ?? least)} y=${MIDDLE - 9} height="18" rx="3"
            width=${x(healthy.high ?? most) - x(healthy.low ?? least)}></rect>`
        : nothing
    }
    <line class="axis" x1="8" x2=${WIDTH - 8} y1=${MIDDLE} y2=${MIDDLE}></line>
    ${ticks.map(
      (value) =>
        svg`<line class="tick" x1=${x(value)} x2=${x(value)} y1=${MIDDLE - 9} y2=${MIDDLE + 11}></line>`,
    )}
    ${labeled.map(
      (value) =>
        svg`<text x=${x(value)} y=${HEIGHT - 4} text-anchor="middle">${formatNumber(value, 2)}</text>`,
    )}
    <rect class="seen" x=${(left + right) / 2 - Math.max(8, right - left) / 2} y=${MIDDLE - 4}
      width=${Math.max(8, right - left)} height="8" rx="4"></rect>
  </svg>`;
}
