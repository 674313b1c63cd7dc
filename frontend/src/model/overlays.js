/**
 * Curves of the runs beside the selected one, on its axis and scales, each run in its color.
 *
 * @import { Line } from "../charts/line.js"
 * @import { Palette } from "../charts/palette.js"
 * @import { Placement } from "../data/axes.js"
 * @import { Overlay, Series, View } from "../types.js"
 */
import { place } from "../data/axes.js";
import { chosenSeries, curves } from "../data/curves.js";

/**
 * @typedef {object} PlacedOverlay
 * @property {string} run
 * @property {Series[]} picked
 * @property {Placement} placement
 * @property {string | null} error
 */

/** Separates a run from a series in ids; no name of a series holds it. */
const MARK = "\u0001";

/**
 * The name by which a whole run is switched off in the legend.
 *
 * @param {string} run
 */
export const overlayKey = (run) => `${MARK}${run}`;

/**
 * Curves that can stand on the axis of the selected run. One that counts epochs has no place where
 * that counts steps, nor the other way round. The learning rate has a scale of its own: it is among
 * the settings.
 *
 * @param {Overlay[]} overlays
 * @param {View["chart"]} chart
 * @param {View["x"]} x
 * @param {boolean} epochs Whether the axis counts epochs.
 * @returns {PlacedOverlay[]}
 */
export function placedOverlays(overlays, chart, x, epochs) {
  return overlays.map(({ run, reply, error }) => {
    const series = reply?.series ?? [];
    const placement = place(series, x);
    const fits = placement.epochs === epochs;
    const picked = chosenSeries(series, chart).filter((one) => one.name !== "learning_rate");
    const none = error ?? (reply && picked.length === 0 ? "has no such curve" : null);
    const apart = fits ? none : "uses another axis: choose relative or wall time";
    return { run, picked: fits ? picked : [], placement, error: none ?? apart };
  });
}

/**
 * @param {PlacedOverlay[]} overlays
 * @param {View} view
 * @param {boolean} log
 * @param {(run: string) => string} color
 * @param {Palette} palette
 * @returns {Line[]}
 */
export function overlayLines(overlays, view, log, color, palette) {
  return overlays.flatMap(({ run, picked, placement }) => {
    if (view.hidden.includes(overlayKey(run))) return [];
    const own = { run: color(run), partner: color(run), beside: true };
    return curves(picked, placement, view, log, own, palette).map((line) => ({
      ...line,
      id: `${line.id}${overlayKey(run)}`,
      label: `${run}: ${line.label}`,
    }));
  });
}
