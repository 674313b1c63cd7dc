/**
 * Scales and axes of a line chart: what they span, and where their ticks lie.
 *
 * @import { LineProps } from "./line.js"
 */
import uPlot from "uplot";
import { linearTicks, logTicks, timeTicks } from "./ranges.js";

const FONT_PIXELS = 11;
const X_AXIS_HEIGHT = 24;

/**
 * @param {LineProps} props
 * @returns {uPlot.Scales}
 */
export function scales({ extent, log, range, healthy }) {
  return {
    x: { time: false, range: () => extent },
    y: {
      distr: log ? 3 : 1,
      range: (_u, low, high) => range ?? withHealthy(padded(low, high, log), healthy ?? null),
    },
    right: { range: (_u, low, high) => [Math.min(0, low ?? 0), (high ?? 1) * 1.08 || 1] },
  };
}

/**
 * The range with at least the nearer edge of the healthy band in it: how far off is the point.
 *
 * @param {[number, number]} range
 * @param {[number, number] | null} healthy
 * @returns {[number, number]}
 */
export function withHealthy([low, high], healthy) {
  return healthy ? [Math.min(low, healthy[1] / 3), Math.max(high, healthy[0] * 3)] : [low, high];
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @param {boolean} log
 * @returns {[number, number]}
 */
export function padded(low, high, log) {
  if (low === null || high === null) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const wide = Math.log10(high / low) < 0.3 ? 1.5 : 1.15;
    return [low / wide, high * wide];
  }
  const span = high - low || Math.abs(high) * 0.2 || 1;
  // A range that begins near zero begins at zero: lengths can then be compared.
  const bottom = low >= 0 && low < span * 0.4 ? 0 : low - span * 0.06;
  return [bottom, high + span * 0.06];
}

/**
 * @param {LineProps} props
 * @param {boolean} right
 * @returns {uPlot.Axis[]}
 */
export function axes(props, right) {
  const { palette, gutter } = props;
  const font = `${FONT_PIXELS}px ${palette.font}`;
  const shared = { font, stroke: palette.soft, labelSize: 0, gap: 4 };
  const faint = { stroke: palette.grid, width: 1 };
  /** @type {uPlot.Axis[]} */
  const found = [
    {
      ...shared,
      size: X_AXIS_HEIGHT,
      grid: { show: false },
      ticks: { ...faint, size: 4 },
      splits: (u, _axis, low, high) => xTicks(props.kind, low, high, u.bbox.width / uPlot.pxRatio),
      values: (_u, splits) => splits.map((value) => props.formatX(value)),
    },
    {
      ...shared,
      size: gutter.left,
      grid: faint,
      ticks: { show: false },
      splits: (u, _axis, low, high) => {
        const count = Math.max(2, Math.floor(u.bbox.height / uPlot.pxRatio / 34));
        return props.log ? logTicks(low, high, count) : linearTicks(low, high, count);
      },
      filter: (_u, splits) => splits,
      values: (_u, splits) => splits.map((value) => props.formatY(value)),
    },
  ];
  if (right) {
    found.push({
      ...shared,
      scale: "right",
      side: 1,
      size: gutter.right,
      grid: { show: false },
      ticks: { show: false },
      splits: (_u, _axis, low, high) => linearTicks(low, high, 4),
      values: (_u, splits) => splits.map((value) => (props.formatRight ?? props.formatY)(value)),
    });
  }
  return found;
}

/**
 * @param {LineProps["kind"]} kind
 * @param {number} low
 * @param {number} high
 * @param {number} width
 */
export function xTicks(kind, low, high, width) {
  const count = Math.max(2, Math.floor(width / (width < 320 ? 56 : 90)));
  if (kind === "count") return linearTicks(low, high, count, true);
  const ahead = kind === "clock" ? new Date(low * 1000).getTimezoneOffset() * -60 : 0;
  return timeTicks(low, high, count, ahead);
}
