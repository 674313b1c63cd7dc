/**
 * What the legend of the curves lists: the selected run's curves, then one line for each run beside
 * it, in its color.
 *
 * @import { Line } from "../charts/line.js"
 * @import { LegendItem } from "./legend.js"
 * @import { TimeModel } from "../model/time.js"
 */
import { LABELS, steadyRate } from "../data/curves.js";
import { uncapital, visible } from "../format/names.js";
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
    line: one.name,
    series: one,
    xs: placement.x.get(one.name) ?? [],
    smoothed: smoothedOf(styles, one.name),
    label: LABELS.get(one.name) ?? one.title,
    color: styles.get(one.name)?.color ?? "currentColor",
    width: styles.get(one.name)?.width ?? 2,
    dash: styles.get(one.name)?.dash ?? [],
    dots: styles.get(one.name)?.dots ?? false,
    shown: !hidden.includes(one.name),
    constant: picked.length > 1 && steadyRate(one),
    note: null,
  }));
  const others = beside.map((one) => ({
    key: overlayKey(one.run),
    line: `${one.picked[0]?.name}${overlayKey(one.run)}`,
    series: one.picked[0] ?? null,
    xs: one.placement.x.get(one.picked[0]?.name) ?? [],
    smoothed: smoothedOf(styles, one.picked[0]?.name ?? "", overlayKey(one.run)),
    label: besideLabel(one),
    color: color(one.run),
    width: 2,
    dash: [],
    dots: false,
    shown: !hidden.includes(overlayKey(one.run)),
    constant: false,
    note: one.error,
  }));
  return [...own, ...others];
}

/**
 * Another run by its name, and which of its curves the value is of.
 *
 * @param {TimeModel["beside"][number]} beside
 */
function besideLabel({ run, picked: [main] }) {
  if (!main) return visible(run);
  const label = LABELS.get(main.name) ?? main.title;
  return `${visible(run)}: ${uncapital(label)}`;
}

/**
 * The heights of a curve that is drawn smoothed; null where it is drawn as it is, or not at all.
 *
 * @param {Map<string, Line>} lines
 * @param {string} name
 * @param {string} [run] Its mark in ids of lines; "" for the selected one.
 */
function smoothedOf(lines, name, run = "") {
  return lines.has(`${name} raw${run}`) ? (lines.get(name + run)?.y ?? null) : null;
}
