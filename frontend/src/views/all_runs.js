/**
 * The view of all runs: their table, and what must be said above it.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Model } from "../model/model.js"
 * @import { State } from "../state/state.js"
 */
import { html } from "lit-html";
import { withLater } from "../host/later.js";
import { newsBanner } from "./news.js";
import { stale } from "./stale.js";
import { loading } from "./states.js";

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 */
export function allRuns(state, { runs: { runs, list }, beside }, handlers) {
  const { view, table, selection, size } = state;
  return html`${newsBanner(state.news, null, handlers)}
    ${withLater(
      ({ runsTable }) =>
        runsTable(
          {
            runs,
            list,
            view,
            table,
            selected: selection.run,
            color: beside.color,
            mark: beside.mark,
            height: size.height,
            colors:
              state.hostRuns === null
                ? "The colors differ from TensorBoard's, because TensorBoard does not provide its order of runs."
                : "",
          },
          handlers,
        ),
      handlers.redraw,
      html`<main class="alone">${loading("Loading the table…")}</main>`,
    )}
    ${stale(state, handlers)}`;
}
