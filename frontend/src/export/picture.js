/**
 * A view as a picture, under a line that says what it shows: PNG at twice the size of the screen, or
 * SVG. Charts are drawn anew on the picture; what the markup around them says (names, flags, captions of
 * small charts) is written where it stands.
 *
 * @import { HeatColors } from "../charts/paint.js"
 * @import { Palette } from "../charts/palette.js"
 */
import { drawingOf, shape } from "../charts/drawings.js";
import { isMark } from "../charts/paint.js";
import { INFINITE, NAN, NO_DATA, NO_LIMIT } from "../data/decode.js";
import { SvgContext } from "./svg_context.js";

/**
 * @typedef {object} Caption
 * @property {string} title
 * @property {{label: string, color: string | null}[]} entries
 */

const MARGIN = 12;
const LINE = 20;
/** Pixels for each CSS pixel. */
const RATIO = 2;

/** Words that stand beside the charts, as the page shows them. */
const WORDS = [
  "figcaption strong",
  "figcaption .small-value",
  "figcaption .apart",
  ".flag span",
  ".legend-label",
  ".legend-value",
  ".legend-smoothed",
  ".legend-x",
  ".ramp-name",
  ".ramp-marks span",
  ".ramp-how",
  ".marks li",
].join();
/** Small patches of color, as the page shows them. */
const PATCHES = ".ramp .cell, .marks .swatch, .marks .crossing";
/** Signs beside them, outlines of our own. */
const SIGNS = ".marks svg.icon";

/**
 * @param {HTMLElement} panel
 * @param {Caption} caption
 * @param {Palette} palette
 * @param {"png" | "svg"} format
 * @returns {Promise<Blob | null>} null where the panel shows no canvas.
 */
export async function picture(panel, caption, palette, format) {
  const seen = (/** @type {Element} */ one) => one.getBoundingClientRect().width > 0;
  const canvases = [...panel.querySelectorAll("canvas")].filter(
    (one) => one.width && one.height && seen(one) && !one.closest(".tip"),
  );
  if (canvases.length === 0) return null;
  const parts = {
    canvases,
    words: [...panel.querySelectorAll(WORDS)].filter(seen),
    patches: [...panel.querySelectorAll(PATCHES)].filter(seen),
    signs: [...panel.querySelectorAll(SIGNS)].filter(seen),
    lines: [...panel.querySelectorAll(".flag-line")],
    samples: [...panel.querySelectorAll(".legend .key")].filter(seen),
  };
  const boxes = [...canvases, ...parts.words, ...parts.patches, ...parts.samples].map((one) =>
    one.getBoundingClientRect(),
  );
  const left = Math.min(...boxes.map((box) => box.left));
  const top = Math.min(...boxes.map((box) => box.top));
  const width = Math.ceil(Math.max(...boxes.map((box) => box.right)) - left + 2 * MARGIN);
  const head = MARGIN + LINE * (caption.entries.length ? 2 : 1);
  const height = Math.ceil(Math.max(...boxes.map((box) => box.bottom)) - top + head + MARGIN);
  const frame = { dx: MARGIN - left, dy: head - top, width, height };
  if (format === "svg") {
    const context = new SvgContext(width, height, RATIO);
    compose(/** @type {any} */ (context), parts, frame, caption, palette);
    return new Blob([context.text()], { type: "image/svg+xml" });
  }
  const target = document.createElement("canvas");
  target.width = width * RATIO;
  target.height = height * RATIO;
  const context = target.getContext("2d");
  if (!context) return null;
  context.scale(RATIO, RATIO);
  compose(context, parts, frame, caption, palette);
  return new Promise((resolve) => target.toBlob(resolve, "image/png"));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{canvases: HTMLCanvasElement[], words: Element[], patches: Element[], signs: Element[],
 *   lines: Element[], samples: Element[]}} parts
 * @param {{dx: number, dy: number, width: number, height: number}} frame
 * @param {Caption} caption
 * @param {Palette} palette
 */
function compose(context, parts, frame, caption, palette) {
  const { canvases, words, patches, signs, lines, samples } = parts;
  const { dx, dy, width, height } = frame;
  context.fillStyle = palette.card;
  context.fillRect(0, 0, width, height);
  write(context, caption, palette, width);
  for (const canvas of canvases) {
    const box = canvas.getBoundingClientRect();
    drawCanvas(context, canvas, box.left + dx, box.top + dy, box.width, box.height);
  }
  context.lineWidth = 1.5;
  for (const line of lines) {
    const box = line.getBoundingClientRect();
    context.strokeStyle = getComputedStyle(line).borderLeftColor;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(box.left + dx, box.top + dy);
    context.lineTo(box.left + dx, box.bottom + dy);
    context.stroke();
  }
  context.setLineDash([]);
  for (const patch of patches) {
    const box = patch.getBoundingClientRect();
    drawPatch(context, patch, box.left + dx, box.top + dy, box, palette);
  }
  for (const sign of signs) drawSign(context, sign, dx, dy);
  for (const sample of samples) drawSample(context, sample, dx, dy, palette);
  context.textBaseline = "middle";
  for (const element of words) {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const dot = /** @type {HTMLElement | null} */ (element.querySelector(".dot"));
    context.font = `${style.fontWeight} ${style.fontSize} ${palette.font}`;
    context.fillStyle = dot ? getComputedStyle(dot).backgroundColor : style.color;
    const text = element.textContent?.trim().replace(/\s+/g, " ") ?? "";
    const middle = style.textAlign === "center";
    context.textAlign = middle ? "center" : "left";
    // Behind its sign or patch, where it has one.
    const sign = element.querySelector("svg, .swatch, .crossing")?.getBoundingClientRect();
    const start = sign ? sign.right + 5 : box.left;
    const x = middle ? box.left + box.width / 2 : start;
    context.fillText(text, x + dx, box.top + dy + box.height / 2);
  }
}

/** Code of a cell by the class of its patch in the key. @type {[string, number, keyof HeatColors, keyof HeatColors][]} */
const PATTERNS = [
  ["nan", NAN, "nan", "nanMark"],
  ["infinite", INFINITE, "infinite", "infiniteMark"],
  ["none", NO_DATA, "noData", "noDataMark"],
  ["free", NO_LIMIT, "free", "freeMark"],
];

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Element} patch
 * @param {number} x
 * @param {number} y
 * @param {{width: number, height: number}} size
 * @param {Palette} palette
 */
function drawPatch(context, patch, x, y, { width, height }, palette) {
  if (patch.classList.contains("crossing")) {
    context.fillStyle = palette.ink;
    context.fillRect(x + width / 2 - 1, y, 2, height);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + width, y);
    context.lineTo(x + width / 2, y + 5);
    context.fill();
    return;
  }
  const pattern = PATTERNS.find(([name]) => patch.classList.contains(name));
  const { heat } = palette;
  const css = (/** @type {keyof HeatColors} */ name) => `rgb(${heat[name].join(" ")})`;
  context.fillStyle = pattern ? css(pattern[2]) : getComputedStyle(patch).backgroundColor;
  context.fillRect(x, y, width, height);
  if (!pattern) return;
  context.fillStyle = css(pattern[3]);
  for (let down = 0; down < height; down += 1) {
    for (let across = 0; across < width; across += 1) {
      if (isMark(pattern[1], across, down, 3)) context.fillRect(x + across, y + down, 1, 1);
    }
  }
}

/**
 * A piece of a curve, beside its name.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Element} sample
 * @param {number} dx
 * @param {number} dy
 * @param {Palette} palette
 */
function drawSample(context, sample, dx, dy, palette) {
  const box = sample.getBoundingClientRect();
  const number = (/** @type {Element} */ of, /** @type {string} */ name) =>
    Number(of.getAttribute(name));
  context.save();
  context.translate(box.left + dx, box.top + dy);
  for (const part of sample.children) {
    context.strokeStyle = getComputedStyle(part).stroke;
    context.lineWidth = number(part, "stroke-width");
    context.beginPath();
    if (part.localName === "line") {
      const dash = part.getAttribute("stroke-dasharray") ?? "";
      context.setLineDash(dash === "" ? [] : dash.split(" ").map(Number));
      context.moveTo(number(part, "x1"), number(part, "y1"));
      context.lineTo(number(part, "x2"), number(part, "y2"));
    } else {
      context.setLineDash([]);
      context.fillStyle = palette.card;
      context.arc(number(part, "cx"), number(part, "cy"), number(part, "r"), 0, 2 * Math.PI);
      context.fill();
    }
    context.stroke();
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Element} sign
 * @param {number} dx
 * @param {number} dy
 */
function drawSign(context, sign, dx, dy) {
  const box = sign.getBoundingClientRect();
  const path = sign.querySelector("path");
  if (!path) return;
  const color = getComputedStyle(sign).color;
  const outline = shape(path.getAttribute("d") ?? "");
  context.save();
  context.translate(box.left + dx, box.top + dy);
  context.scale(box.width / 16, box.height / 16);
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  if (path.getAttribute("fill") === "none") context.stroke(outline);
  else context.fill(outline, "evenodd");
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLCanvasElement} canvas
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function drawCanvas(context, canvas, x, y, width, height) {
  const drawing = drawingOf(canvas);
  if (!drawing) return context.drawImage(canvas, x, y, width, height);
  if (context instanceof SvgContext) {
    context.save();
    context.translate(x, y);
    drawing(/** @type {any} */ (context), RATIO);
    context.restore();
    return;
  }
  // On a canvas of its own: cells of a map are put there pixel by pixel, wherever the context stands.
  const own = document.createElement("canvas");
  own.width = Math.round(width * RATIO);
  own.height = Math.round(height * RATIO);
  const inner = own.getContext("2d");
  if (!inner) return;
  inner.scale(RATIO, RATIO);
  drawing(inner, RATIO);
  context.drawImage(own, x, y, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Caption} caption
 * @param {Palette} palette
 * @param {number} width
 */
function write(context, { title, entries }, palette, width) {
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.font = `600 13px ${palette.font}`;
  context.fillStyle = palette.ink;
  context.fillText(title, MARGIN, MARGIN + LINE / 2 - 4, width - 2 * MARGIN);
  context.font = `12px ${palette.font}`;
  let x = MARGIN;
  const y = MARGIN + LINE * 1.5 - 6;
  for (const { label, color } of entries) {
    if (color) {
      context.fillStyle = color;
      context.fillRect(x, y - 2, 14, 4);
      x += 19;
    }
    context.fillStyle = palette.soft;
    context.fillText(label, x, y);
    x += context.measureText(label).width + 16;
  }
}
