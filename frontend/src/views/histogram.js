/**
 * How the entries of the selected row are spread over steps.
 *
 * @import { BandsProps } from "../charts/bands.js"
 */
import { html, nothing } from "lit-html";
import { createBands, fillOf } from "../charts/bands.js";
import { INFINITE, NAN } from "../data/decode.js";
import { counted, formatNumber } from "../format/numbers.js";
import { mount } from "./mount.js";

/** @param {BandsProps[]} charts */
export function histogramFigures(charts) {
  return charts.map((chart) => {
    const { title, axis, steady, codes, records } = chart.data;
    if (steady !== null)
      return html`<p class="small-note" data-testid="steady"><strong>${title}</strong> all
        ${formatNumber(steady)}, at each of ${counted(records, "record")}.</p>`;
    return html`<figure class="small-chart histogram">
      <figcaption>
        <strong>${title}, histogram over ${axis}s</strong>
        <span class="small-values">${chart.data.bands.map(
          (band, index, all) => html`<span class="small-value">
            <i class="band" .style=${`background:${chart.color};opacity:${shown(index, all.length)}`}></i>${band.name}</span>`,
        )}${codes.includes(NAN) ? html`<span class="small-value"><i class="swatch nan"></i>NaN</span>` : nothing}${
          codes.includes(INFINITE)
            ? html`<span class="small-value"><i class="swatch infinite"></i>infinite</span>`
            : nothing
        }</span>
      </figcaption>
      ${mount(createBands, chart)}
      <p class="soft small-note">${note(chart)}</p>
    </figure>`;
  });
}

/**
 * The opacity a band is seen with: those around it shine through.
 *
 * @param {number} index
 * @param {number} count
 */
function shown(index, count) {
  let clear = 1;
  for (let each = 0; each <= index; each += 1) clear *= 1 - fillOf(each, count);
  return (1 - clear).toFixed(2);
}

/** @param {BandsProps} chart */
function note({ data, linked }) {
  if (!data.recorded)
    return "No histogram was logged: these bounds follow from the recorded statistics.";
  const axis = linked
    ? ""
    : ` This histogram counts ${data.axis}s, so it does not follow the selected step.`;
  const { records } = data;
  if (data.id === "magnitude")
    return `From ${counted(records, "record")} of about a thousand entries each, counted between powers of two. The widest band ends at the largest entry.${axis}`;
  return `From ${counted(records, "histogram")}. A band ends at bucket edges, so it contains at least its fraction of the entries.${axis}`;
}
