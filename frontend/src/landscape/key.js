/** Parts of the color key, as SVG. */
import { svg } from "lit-html";

/**
 * @param {string} color
 * @param {number} left
 * @param {number} wide
 */
export function keyPart(color, left, wide) {
  return svg`<rect x=${left} y="2" width=${wide + 0.5} height="12" fill=${color}></rect>`;
}

/**
 * @param {string} text
 * @param {number} left
 * @param {number} [top]
 * @param {"middle" | "start"} [anchor]
 */
export function keyText(text, left, top = 28, anchor = "middle") {
  return svg`<text x=${left} y=${top} text-anchor=${anchor}>${text}</text>`;
}
