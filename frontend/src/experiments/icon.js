/**
 * The sign of a severity; decoration beside its word.
 *
 * @import { Mark } from "../format/severity.js"
 */
import { svg } from "lit-html";
import { VERDICT_PATH } from "../format/severity.js";

/** @param {Mark} verdict */
export function icon(verdict) {
  return svg`<svg class="icon ${verdict}" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"
    ><path fill="currentColor" fill-rule="evenodd" d=${VERDICT_PATH[verdict]}></path></svg>`;
}
