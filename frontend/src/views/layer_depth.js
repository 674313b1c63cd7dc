/**
 * Where the selected row stands between input and output: a strip above its charts, and the profile of
 * several statistics.
 *
 * @import { Handlers } from "../handlers.js"
 * @import { Model } from "../model/model.js"
 */
import { html, nothing } from "lit-html";
import { createProfile } from "../charts/profile.js";
import { profileMetrics } from "../data/profile.js";
import { formatStepRange } from "../format/steps.js";
import { rowKey } from "../state/selection.js";
import { mount } from "./mount.js";
import { profileView } from "./profile.js";

/** From this number of layers on, where a layer stands among them is worth drawing. */
const SEVERAL = 3;

/**
 * The map's statistic from input to output, at the selected step: where the layer stands among the others.
 *
 * @param {Model} model
 * @param {Handlers} handlers
 */
export function towardOutput({ detail, row, map }, handlers) {
  const drawn = detail?.profile;
  if (!drawn || drawn.shown.length < SEVERAL || !drawn.shown.includes(row) || !map) return nothing;
  const { heat, cell, metric } = drawn;
  const { first_steps: first, last_steps: last } = heat.header;
  return html`<figure class="toward">
    <figcaption><span class="small-title"><strong>From input to output</strong>
      <span class="soft">${metric.title}, ${formatStepRange(first[cell], last[cell])}</span></span></figcaption>
    ${mount(createProfile, {
      ...drawn,
      selectedRow: row,
      onOpen: (/** @type {number} */ to) => handlers.openRow(to, null),
    })}
  </figure>`;
}

/**
 * @param {Model} model
 * @param {Handlers} handlers
 */
export function profile({ detail, groups, row }, handlers) {
  const { profile: drawn, marks } = detail ?? { profile: null, marks: null };
  if (!detail || !drawn || !marks) return html`<p class="hint">No data to draw by depth.</p>`;
  return profileView(
    {
      chart: {
        ...drawn,
        selectedRow: row,
        onOpen: (/** @type {number} */ to) => handlers.openRow(to, null),
      },
      offered: profileMetrics(groups),
      marks,
      others: detail.others.map(({ group, profile: chart, selectedRow }) => ({
        group,
        chart: {
          ...chart,
          selectedRow,
          onOpen: (/** @type {number} */ to) => {
            const rows = groups.find((one) => one.group === group)?.rows ?? [];
            handlers.select({
              group,
              metric: chart.metric.name,
              row: rowKey(rows, to),
              auto: false,
            });
          },
        },
      })),
    },
    handlers,
  );
}
