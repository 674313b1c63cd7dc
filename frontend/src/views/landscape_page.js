/**
 * Where the view "Landscape" stands in the page. The view itself is a file of its own.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Model, Surroundings } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";
import { download } from "../host/download.js";
import { apart } from "./apart.js";
import { loading } from "./states.js";

/** @type {import("./apart.js").Part} */
const PART = {
  load: () => import("../landscape/index.js"),
  styles: "landscape.css",
  name: "landscape view",
};

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function landscapePage(state, model, handlers, around) {
  const run = state.selection.run;
  if (run === null) return nothing;
  const other = model.beside.other?.run ?? null;
  const props = {
    runs: model.runs.list.shown.map((one) => one.run),
    run,
    other,
    theme: state.theme,
    stamp: state.slots.runs.data?.stamp ?? "",
  };
  const host = {
    list: around.landscapes.list,
    fetchOne: around.landscapes.fetchOne,
    choose: (/** @type {"A" | "B"} */ side, /** @type {string} */ name) =>
      side === "A" ? handlers.selectRun(name) : handlers.compareWith(name || null),
    save: download,
    copy: (/** @type {string} */ text, /** @type {HTMLElement} */ button) =>
      handlers.copy(text, button),
  };
  return html`<div class="landscape-place" ${apart(PART, props, host)}>${WAITING}</div>`;
}

const WAITING = html`<main class="alone">${loading("Loading the landscape view…")}</main>`;
