/**
 * Where the view "Landscape" stands in the page. The view itself is a file of its own.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Model, Surroundings } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html, nothing } from "lit-html";
import { Directive, directive } from "lit-html/directive.js";
import { download } from "../host/download.js";
import { loadStyles } from "../host/styles.js";
import { loading } from "./states.js";

/**
 * @typedef {import("../landscape/index.js").Props} Props
 * @typedef {import("../landscape/index.js").Host} Host
 */

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
  return html`<div class="landscape-place" ${mounted(props, host)}>${WAITING}</div>`;
}

const WAITING = html`<main class="alone">${loading("Loading the landscape view…")}</main>`;

/** Fetches the view, and hands it what changed. */
class Mounted extends Directive {
  /** @type {ReturnType<typeof import("../landscape/index.js").mount> | null} */
  view = null;
  /** @type {Element | null} */
  place = null;
  /** @type {Props | null} */
  props = null;

  /**
   * @param {Props} _props
   * @param {Host} _host
   */
  render(_props, _host) {
    return nothing;
  }

  /**
   * @param {import("lit-html/directive.js").ElementPart} part
   * @param {[Props, Host]} given
   */
  update(part, [props, host]) {
    this.props = props;
    if (this.place === part.element) return this.view?.update(props);
    const place = /** @type {HTMLElement} */ (part.element);
    this.place = place;
    Promise.all([import("../landscape/index.js"), loadStyles("landscape.css")]).then(
      ([{ mount }]) => {
        const inside = document.createElement("div");
        place.replaceChildren(inside);
        this.view = mount(inside, host);
        if (this.props) this.view.update(this.props);
      },
      () => place.replaceChildren("The landscape view could not be fetched. Reload the page."),
    );
  }
}

const mounted = directive(Mounted);
