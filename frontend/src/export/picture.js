/**
 * A view as a picture: its canvases as they stand, under a line that says what they show.
 *
 * Only canvases can be copied: drawing markup into one (by way of an SVG image) would need inline
 * styles the page does not have. So what the markup around them says (names, legend, captions of
 * small charts) is written anew.
 *
 * @import { Palette } from "../charts/palette.js"
 */

/**
 * @typedef {object} Caption
 * @property {string} title
 * @property {{label: string, color: string | null}[]} entries
 */

const MARGIN = 12;
const LINE = 20;

/**
 * @param {HTMLElement} panel
 * @param {Caption} caption
 * @param {Palette} palette
 * @returns {Promise<Blob | null>} null where the panel shows no canvas.
 */
export async function picture(panel, caption, palette) {
  const canvases = [...panel.querySelectorAll("canvas")].filter((one) => one.width && one.height);
  if (canvases.length === 0) return null;
  const texts = captions(panel);
  const boxes = [...canvases, ...texts].map((one) => one.getBoundingClientRect());
  const left = Math.min(...boxes.map((box) => box.left));
  const top = Math.min(...boxes.map((box) => box.top));
  const width = Math.max(...boxes.map((box) => box.right)) - left + 2 * MARGIN;
  const height = Math.max(...boxes.map((box) => box.bottom)) - top;
  const head = MARGIN + LINE * (caption.entries.length ? 2 : 1);
  const scale = window.devicePixelRatio || 1;

  const target = document.createElement("canvas");
  target.width = Math.round(width * scale);
  target.height = Math.round((height + head + MARGIN) * scale);
  const context = target.getContext("2d");
  if (!context) return null;
  context.scale(scale, scale);
  context.fillStyle = palette.card;
  context.fillRect(0, 0, width, height + head + MARGIN);
  write(context, caption, palette, width);
  canvases.forEach((canvas, index) => {
    const box = boxes[index];
    const [x, y] = [box.left - left + MARGIN, box.top - top + head];
    context.drawImage(canvas, x, y, box.width, box.height);
  });
  texts.forEach((element, index) => {
    const box = boxes[canvases.length + index];
    const dot = /** @type {HTMLElement | null} */ (element.querySelector(".dot"));
    context.font = `${element.tagName === "STRONG" ? "600 " : ""}12px ${palette.font}`;
    context.fillStyle = dot ? getComputedStyle(dot).backgroundColor : palette.ink;
    const text = element.textContent?.trim() ?? "";
    context.fillText(text, box.left - left + MARGIN, box.top - top + head + box.height / 2);
  });
  return new Promise((resolve) => target.toBlob(resolve, "image/png"));
}

/**
 * What stands above single charts: title, and the values of its curves in their colours.
 *
 * @param {HTMLElement} panel
 * @returns {Element[]}
 */
function captions(panel) {
  return [...panel.querySelectorAll("figcaption strong, figcaption .small-value")].filter(
    (one) => one.getBoundingClientRect().width > 0,
  );
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Caption} caption
 * @param {Palette} palette
 * @param {number} width
 */
function write(context, { title, entries }, palette, width) {
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
