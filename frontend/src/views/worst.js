/**
 * The worst rows of the heat map as a table: the map for those who cannot see it.
 *
 * @import { HeatData, HeatHandlers } from "./heatmap.js"
 */
import { html, nothing } from "lit-html";
import { inlineName } from "./name.js";

/**
 * @param {HeatData} data
 * @param {HeatHandlers} handlers
 */
export function worstTable({ worst, metric }, handlers) {
  if (worst.length === 0) return nothing;
  return html`<details class="worst">
    <summary>Worst rows as a table</summary>
    <table>
      <thead><tr><th scope="col">Row</th><th scope="col">${metric.title}, worst</th><th scope="col">Where</th></tr></thead>
      <tbody>
        ${worst.map(
          (one) => html`<tr>
            <th scope="row"><button type="button" class="link" @click=${() => handlers.openRow(one.row, null)}>${inlineName(one.name)}</button></th>
            <td>${one.value}</td><td>${one.steps}</td>
          </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}
