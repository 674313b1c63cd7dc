/**
 * What a refresh brought: a finding that became critical, and a finding that is gone.
 *
 * @import { News } from "../state/news.js"
 */
import { html, nothing } from "lit-html";
import { visible, words } from "../format/names.js";
import { counted } from "../format/numbers.js";
import { VERDICT_WORD } from "../format/severity.js";
import { formatStep } from "../format/steps.js";
import { verdictIcon } from "./icon.js";
import { inlineName } from "./name.js";

/**
 * @typedef {object} NewsHandlers
 * @property {() => void} goToNews
 * @property {() => void} goBack
 * @property {() => void} dismissNews
 * @property {() => void} forgetVanished
 */

/**
 * @param {News | null} news
 * @param {string | null} selected  The run that is looked at.
 * @param {NewsHandlers} handlers
 */
export function newsBanner(news, selected, handlers) {
  if (!news) return nothing;
  const elsewhere = news.run !== selected;
  const { layers, more } = news;
  const where = layers.length > 0 ? html` in ${inlineName(layers[0])}` : nothing;
  return html`<div class="banner news" role="alert" data-testid="news">
    ${verdictIcon("critical")}
    <span>
      <strong>${elsewhere ? html`Run ${inlineName(news.run)} became critical: ` : seen(news)}${visible(news.title)}</strong>,
      from step ${formatStep(news.step)} on${where}.
      <span class="soft">${changed(news)}${more > 0 ? ` ${counted(more, "further run")} became critical, too.` : nothing}</span>
    </span>
    ${
      news.back
        ? html`<button type="button" class="button" @click=${handlers.goBack}>Back to where I was</button>`
        : html`<button type="button" class="button filled" @click=${handlers.goToNews}>Go there</button>`
    }
    <button type="button" class="button" @click=${handlers.dismissNews}>${news.back ? "OK" : "Stay"}</button>
  </div>`;
}

/** @param {News} news */
function seen({ seen: step }) {
  return step === null ? "New: " : `New since you looked at step ${formatStep(step)}: `;
}

/** @param {News} news */
function changed({ from, to }) {
  return from === to ? "" : `The verdict went from ${VERDICT_WORD[from]} to ${VERDICT_WORD[to]}.`;
}

/**
 * @param {string | null} vanished  Id of the finding that was selected.
 * @param {string | null} shown  Title of the one that is shown instead.
 * @param {NewsHandlers} handlers
 */
export function vanishedNote(vanished, shown, handlers) {
  if (vanished === null) return nothing;
  return html`<div class="banner" role="status" data-testid="vanished">
    <span>This run has no finding “${words(vanished)}” (any more).
      ${shown === null ? "It has no other finding." : `The page shows “${visible(shown)}” instead.`}</span>
    <button type="button" class="button" @click=${handlers.forgetVanished}>Dismiss</button>
  </div>`;
}
