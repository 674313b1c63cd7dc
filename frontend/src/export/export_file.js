/**
 * From a view and a format to a file: its name, and what is in it.
 *
 * @import { Model, Surroundings } from "../model/model.js"
 * @import { State } from "../state/state.js"
 * @import { Caption } from "./picture.js"
 * @import { Sheet } from "./tables.js"
 */
import { LABELS, steadyRate } from "../data/curves.js";
import { fullName } from "../format/names.js";
import { formatNumber } from "../format/numbers.js";
import { formatStepRange } from "../format/steps.js";
import { csv } from "./csv.js";
import { picture } from "./picture.js";
import {
  compareSheet,
  curvesSheet,
  findingsSheet,
  heatSheet,
  layerSheet,
  profileSheet,
  runsSheet,
} from "./tables.js";

/** @typedef {"findings" | "runs" | "compare" | "curves" | "map" | "layer" | "profile"} View */
/** @typedef {"png" | "svg" | "csv" | "json"} Format */

/**
 * @typedef {object} Content
 * @property {Sheet} sheet
 * @property {unknown} document  For JSON: the reply itself, or what is decoded of it.
 * @property {Caption} caption
 */

/**
 * The file that holds `view` as it stands; null where it has nothing to give.
 *
 * @param {View} view
 * @param {Format} format
 * @param {HTMLElement} panel
 * @param {{state: State, model: Model, around: Surroundings, note: string}} page  `note`: a person's own
 *   on the run.
 * @returns {Promise<{name: string, blob: Blob} | null>}
 */
export async function exportFile(view, format, panel, { state, model, around, note }) {
  const content = contentOf(view, state, model, note);
  if (!content) return null;
  const run = view === "runs" ? "" : (state.selection.run ?? "");
  const { title, entries } = content.caption;
  const name = `${fileName([run, title])}.${format}`;
  if (format === "png" || format === "svg") {
    const caption = { title: `${fullName(run)} · ${title}`, entries };
    const blob = await picture(panel, caption, around.palette, format);
    return blob && { name, blob };
  }
  const text =
    format === "csv"
      ? csv(content.sheet.columns, content.sheet.rows)
      : `${JSON.stringify(content.document, null, 1)}\n`;
  const type = format === "csv" ? "text/csv" : "application/json";
  return { name, blob: new Blob([text], { type }) };
}

/**
 * @param {View} view
 * @param {State} state
 * @param {Model} model
 * @param {string} note
 * @returns {Content | null}
 */
function contentOf(view, { slots, view: how }, model, note) {
  switch (view) {
    case "findings": {
      const reply = slots.findings.data;
      if (!reply) return null;
      const caption = { title: "Findings", entries: [] };
      const document = note ? { ...reply, note } : reply;
      return { sheet: findingsSheet(reply.findings), document, caption };
    }
    case "runs": {
      const { list } = model.runs;
      return {
        sheet: runsSheet(list.shown),
        document: { runs: list.shown },
        caption: { title: "Runs", entries: [] },
      };
    }
    case "compare": {
      const { reply } = model.beside;
      if (!reply) return null;
      const caption = { title: `Compared with ${fullName(reply.with)}`, entries: [] };
      return { sheet: compareSheet(reply), document: reply, caption };
    }
    case "curves": {
      const { picked, chart } = model.time;
      const shown = new Map(chart.lines.map((line) => [line.id, line.color]));
      const entries = picked
        .filter((one) => shown.has(one.name) || (picked.length > 1 && steadyRate(one)))
        .map((one) => ({
          label: `${LABELS.get(one.name) ?? one.title}${
            shown.has(one.name) ? "" : ` ${formatNumber(one.values[0])}, constant`
          }`,
          color: shown.get(one.name) ?? null,
        }));
      const titles = { loss: "Loss", norms: "Global norms", metrics: "Metrics" };
      const caption = { title: titles[how.chart], entries };
      return { sheet: curvesSheet(picked), document: { series: picked }, caption };
    }
    case "map": {
      const props = model.map?.props;
      if (!props) return null;
      const { heat, rows, order, metric } = props;
      const sheet = heatSheet(heat, rows, order, metric);
      const document = {
        ...heat.header,
        rows: order.map((row) => rows[row]),
        columns: sheet.columns,
        values: sheet.rows.map((row) => row.map(strict)),
      };
      return { sheet, document, caption: { title: metric.title, entries: [] } };
    }
    case "layer": {
      const reply = slots.layer.data;
      if (!reply) return null;
      const caption = { title: fullName(reply.row.name), entries: [] };
      const histograms = slots.histogram.data?.histograms ?? [];
      return { sheet: layerSheet(reply), document: { ...reply, histograms }, caption };
    }
    case "profile": {
      const profile = model.detail?.profile;
      if (!profile) return null;
      const { heat, rows, shown, metric, cell, beside } = profile;
      const sheet = profileSheet(heat, rows, shown, metric, cell, beside);
      const steps = [heat.header.first_steps[cell], heat.header.last_steps[cell]];
      const document = {
        metric,
        steps,
        ...(beside && { compared: beside.run }),
        rows: shown.map((row) => rows[row]),
        columns: sheet.columns,
        values: sheet.rows.map((row) => row.map(strict)),
      };
      const title = `${metric.title} by depth, ${formatStepRange(steps[0], steps[1])}`;
      return { sheet, document, caption: { title, entries: [] } };
    }
  }
}

/** @param {import("./csv.js").Cell} cell JSON has no NaN: it is written as text, as in our replies. */
function strict(cell) {
  return typeof cell === "number" && !Number.isFinite(cell) ? String(cell) : cell;
}

/**
 * Names from a log made fit for any file system.
 *
 * @param {string[]} parts
 */
export function fileName(parts) {
  const safe = parts
    .map((part) => part.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, ""))
    .filter((part) => part !== "");
  return [...safe, "convergence"].join("_").slice(0, 120);
}
