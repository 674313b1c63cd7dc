/**
 * A name from a log, as a piece of the page.
 */
import { html } from "lit-html";
import { fullName, MAX_NAME, middleEllipsis, spelledOut, visible } from "../format/names.js";

/** Most characters at the end that stay when the name is too long for its place. */
const TAIL = 15;

/**
 * Isolated from the text around it (a name may be written right to left), cut in the middle by the
 * style sheet where there is no room, whole in its title.
 *
 * @param {string} text
 * @param {number} [most]  Characters, for a place where it may wrap.
 */
export function name(text, most = MAX_NAME) {
  const shown = [...middleEllipsis(visible(spelledOut(text)), most)];
  const at = shown.length - Math.min(TAIL, Math.ceil(shown.length / 2));
  const [head, tail] = [shown.slice(0, at).join(""), shown.slice(at).join("")];
  return html`<bdi class="name" title=${fullName(text)}><span class="head">${head}</span><span class="tail">${
    tail || html`<em>(empty name)</em>`
  }</span></bdi>`;
}

/**
 * A name inside running text, where it may wrap.
 *
 * @param {string} text
 * @param {boolean} [feature]  Whether an index in it is known to be a feature's.
 */
export function inlineName(text, feature = false) {
  return html`<bdi class="inline-name" title=${fullName(text)}>${middleEllipsis(visible(spelledOut(text, feature)), MAX_NAME)}</bdi>`;
}
