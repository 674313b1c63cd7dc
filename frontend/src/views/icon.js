/**
 * Icons, as outlines of our own: no font, no image to load.
 *
 * @import { Verdict } from "../types.js"
 */
import { svg } from "lit-html";
import { outline, VERDICT_PATH } from "../format/severity.js";

/** @type {Record<string, string>} */
const SIGNS = {
  previous: "M10.5 2.5 5 8l5.5 5.5",
  next: "M5.5 2.5 11 8l-5.5 5.5",
  close: "M3.5 3.5l9 9m0-9-9 9",
  search: "M11 11l3.5 3.5M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0z",
  copy: "M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z",
  done: "M2.5 8.5l3.5 3.5 7.5-8",
  retry: "M13 8a5 5 0 1 1-1.5-3.6M13.5 1.5v3.5H10",
  target: "M8 1v3m0 8v3M1 8h3m8 0h3M11.5 8a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0z",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  add: "M8 3v10M3 8h10",
  expand: "M9.5 2.5h4v4M13.5 2.5 9 7M6.5 13.5h-4v-4M2.5 13.5 7 9",
  play: "M4.5 2.5v11l9-5.5z",
  pause: "M5 2.5v11m6-11v11",
  compare: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
  hide: "M2.2 8S4.4 4 8 4s5.8 4 5.8 4-2.2 4-5.8 4-5.8-4-5.8-4zM2.5 13.5l11-11",
  show: "M2.2 8S4.4 4 8 4s5.8 4 5.8 4-2.2 4-5.8 4-5.8-4-5.8-4zM9.6 8a1.6 1.6 0 1 1-3.2 0 1.6 1.6 0 0 1 3.2 0z",
};

/**
 * The sign of a severity; decoration beside its word, so hidden from screen readers.
 *
 * @param {import("../format/severity.js").Mark} verdict
 */
export function verdictIcon(verdict) {
  return svg`<svg class="icon ${verdict}" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"
    ><path fill="currentColor" fill-rule="evenodd" d=${VERDICT_PATH[verdict]}></path></svg>`;
}

/**
 * Its outer line alone, as the heat map marks rows of findings that are not selected.
 *
 * @param {Verdict} verdict
 */
export function hollowIcon(verdict) {
  return svg`<svg class="icon ${verdict}" viewBox="0 0 16 16" width="12" height="12" aria-hidden="true"
    ><path fill="none" stroke="currentColor" stroke-width="1.5" d=${outline(verdict)}></path></svg>`;
}

/** @param {keyof typeof SIGNS} name */
export function sign(name) {
  return svg`<svg class="sign" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"
    ><path fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"
      stroke-linejoin="round" d=${SIGNS[name]}></path></svg>`;
}

/**
 * The same as `verdictIcon`, as an element.
 *
 * @param {Verdict} verdict
 */
export function iconElement(verdict) {
  const space = "http://www.w3.org/2000/svg";
  const image = document.createElementNS(space, "svg");
  image.setAttribute("class", `icon ${verdict}`);
  image.setAttribute("viewBox", "0 0 16 16");
  image.setAttribute("width", "12");
  image.setAttribute("height", "12");
  image.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("fill", "currentColor");
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("d", VERDICT_PATH[verdict]);
  image.append(path);
  return image;
}
