/**
 * What the legend of the curves lists: the selected run's curves, then one line for each run beside
 * it, in its colour.
 *
 * @import { LegendItem } from "./legend.js"
 * @import { TimeModel } from "../model/time.js"
 */
import { LABELS } from "../data/curves.js";
import { visible } from "../format/names.js";
import { overlayKey } from "../model/overlays.js";

/**
 * @param {TimeModel} time
 * @param {string[]} hidden
 * @param {(run: string) => string} color
 * @returns {LegendItem[]}
 */
export function legendItems({ picked, placement, beside, chart }, hidden, color) {
  const styles = new Map(chart.lines.map((line) => [line.id, line]));
  const own = picked.map((one) => ({
    key: one.name,
    series: one,
    xs: placement.x.get(one.name) ?? [],
    label: LABELS.get(one.name) ?? one.title,
    color: styles.get(one.name)?.color ?? "currentColor",
    dash: styles.get(one.name)?.dash ?? [],
    dots: styles.get(one.name)?.dots ?? false,
    shown: !hidden.includes(one.name),
    note: null,
  }));
  const others = beside.map((one) => ({
    key: overlayKey(one.run),
    series: one.picked[0] ?? null,
    xs: one.placement.x.get(one.picked[0]?.name) ?? [],
    label: visible(one.run),
    color: color(one.run),
    dash: [],
    dots: false,
    shown: !hidden.includes(overlayKey(one.run)),
    note: one.error,
  }));
  return [...own, ...others];
}
