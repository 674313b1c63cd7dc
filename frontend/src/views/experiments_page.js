/**
 * Where the view "Experiments" stands in the page. The view itself is a file of its own.
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
  load: () => import("../experiments/index.js"),
  styles: "experiments.css",
  name: "view of experiments",
};

/**
 * @param {State} state
 * @param {Model} model
 * @param {Handlers} handlers
 * @param {Surroundings} around
 */
export function experimentsPage(state, model, handlers, around) {
  const { run } = state.selection;
  if (run === null) return nothing;
  const { runs, findings } = state.slots;
  const props = {
    runs: model.runs.list.shown.map((one) => ({ run: one.run, experiments: one.experiments ?? 0 })),
    run,
    findings: findings.data?.run === run ? findings.data.findings.map(({ id }) => id) : [],
    stamp: runs.data?.stamp ?? "",
  };
  const host = {
    fetch: around.experiments,
    choose: handlers.selectRun,
    finding(/** @type {string} */ id) {
      handlers.setView({ page: "diagnosis" });
      handlers.showFinding(id);
    },
    save: download,
    copy: handlers.copy,
  };
  return html`<div class="experiments-place" ${apart(PART, props, host)}>${WAITING}</div>`;
}

const WAITING = html`<main class="alone">${loading("Loading the experiments…")}</main>`;
