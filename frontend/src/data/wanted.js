/**
 * Which replies the selection asks for.
 *
 * @import { State } from "../state/state.js"
 * @import { Api } from "./api.js"
 */
import { comparedRuns } from "../state/compared.js";
import { counterpart, rowIndex } from "../state/selection.js";
import { askable } from "./candidates.js";
import { partnerOf } from "./pairs.js";
import { profileMetrics } from "./profile.js";

/**
 * @typedef {object} Wish
 * @property {string} key  Names the reply; "" while there is nothing to ask for.
 * @property {(signal: AbortSignal) => Promise<any>} fetchReply
 */

/**
 * By slot. A run that cannot be read is not asked about; maps and layers wait for the list of rows.
 *
 * @param {State} state
 * @param {Api} api
 * @returns {Record<string, Wish>}
 */
export function wanted(state, api) {
  const { selection, slots, view } = state;
  const { run, group, metric, row } = selection;
  const summary = slots.runs.data?.runs.find((one) => one.run === run);
  const known = run !== null && summary !== undefined && summary.error === null;
  const groups = slots.layers.data?.groups ?? [];
  const rows = groups.find((one) => one.group === group)?.rows ?? [];
  const index = rowIndex(rows, row);
  // Until the findings are here, nobody knows which map they will ask for.
  const led = selection.auto && slots.findings.data === null && slots.findings.error === null;
  const mapped = known && !led && group !== null && metric !== null && rows.length > 0;
  const open = mapped && index >= 0 && view.tab === "layer";
  const other = open ? counterpart(groups, group, index) : null;
  // Rows and metrics are those of the answer about histograms that the list was read by.
  const read = slots.layers.data?.tags ?? "";
  const [runName, groupName, metricName] = [run ?? "", group ?? "", metric ?? ""];
  return {
    runs: { key: "runs", fetchReply: api.runs },
    findings: {
      key: keyIf(known, run),
      fetchReply: (signal) => api.findings(runName, signal),
    },
    series: { key: keyIf(known, run), fetchReply: (signal) => api.series(runName, signal) },
    layers: {
      key: keyIf(known, run),
      fetchReply: async (signal) => ({ ...(await api.layers(runName, signal)), tags: view.tags }),
    },
    heat: {
      key: keyIf(mapped, run, group, metric, read),
      fetchReply: (signal) => api.heatmap(runName, groupName, metricName, signal),
    },
    layer: {
      key: keyIf(mapped && index >= 0, run, group, index, read),
      fetchReply: (signal) => api.layer(runName, groupName, index, signal),
    },
    counterpart: {
      key: other ? keyIf(true, run, other.group, other.index, read) : "",
      fetchReply: (signal) => api.layer(runName, other?.group ?? "", other?.index ?? 0, signal),
    },
    histogram: {
      key: keyIf(open && group === "variables", run, group, index, read),
      fetchReply: (signal) => api.histogram(runName, groupName, index, signal),
    },
    profiles: profiles(state, api, mapped),
    candidates: candidates(state, api),
    moment: moment(state, api, known && slots.heat.status !== "loading"),
    ...beside(state, api, known, mapped, index, other),
  };
}

/** What moves before things go wrong: how far weights change a step, how large inputs are. */
const MOMENT = { ratio: ["variables", "update_ratio"], scale: ["inputs", "feature_rms"] };

/**
 * Curves around the onset of the finding; asked for after the map, which is looked at first.
 *
 * @param {State} state
 * @param {Api} api
 * @param {boolean} known
 * @returns {Wish}
 */
function moment({ selection, slots }, api, known) {
  const groups = slots.layers.data?.groups ?? [];
  const offers = (/** @type {string[]} */ [group, name]) =>
    groups.some((one) => one.group === group && one.metrics.some((metric) => metric.name === name));
  const there = { ratio: offers(MOMENT.ratio), scale: offers(MOMENT.scale) };
  const { run, finding } = selection;
  const ask = async (
    /** @type {boolean} */ offered,
    /** @type {string[]} */ [group, name],
    /** @type {AbortSignal} */ signal,
  ) => (offered ? await api.heatmap(run ?? "", group, name, signal) : null);
  return {
    key: keyIf(known && finding !== null && groups.length > 0, run, there, slots.layers.data?.tags),
    fetchReply: async (signal) => {
      const [ratio, scale] = await Promise.all([
        ask(there.ratio, MOMENT.ratio, signal),
        ask(there.scale, MOMENT.scale, signal),
      ]);
      return { ratio, scale };
    },
  };
}

/**
 * Curves of the scalars that are asked about, while they are.
 *
 * @param {State} state
 * @param {Api} api
 * @returns {Wish}
 */
function candidates({ slots, picking }, api) {
  const { scalars = [] } = slots.findings.data ?? {};
  const wanted = picking.open || scalars.some(({ use }) => use === "asked");
  const asked = wanted ? askable(scalars) : [];
  return {
    key: keyIf(asked.length > 0, asked.map(({ run, tag }) => [run, tag]).sort()),
    fetchReply: (signal) => api.candidates(asked, signal),
  };
}

/**
 * What is shown by depth beside the map's own metric.
 *
 * @param {State} state
 * @param {Api} api
 * @param {boolean} mapped
 * @returns {Wish}
 */
function profiles({ selection, slots, view }, api, mapped) {
  const { run, group, metric } = selection;
  const others = profileMetrics(slots.layers.data?.groups ?? []).filter(
    (one) => one.group !== group || one.metric.name !== metric,
  );
  const names = others.map((one) => [one.group, one.metric.name]);
  const read = slots.layers.data?.tags ?? "";
  return {
    key: keyIf(mapped && view.tab === "profile" && names.length > 0, run, names, read),
    fetchReply: (signal) =>
      Promise.all(names.map(([of, name]) => api.heatmap(run ?? "", of, name, signal))),
  };
}

/**
 * What is wanted of the runs beside the selected one.
 *
 * @param {State} state
 * @param {Api} api
 * @param {boolean} known Whether the selected run can be read.
 * @param {boolean} mapped Whether it has a map.
 * @param {number} index Of the selected row.
 * @param {{group: string, index: number} | null} counter  The row that is shown with it.
 * @returns {Record<string, Wish>}
 */
function beside({ selection, view, slots }, api, known, mapped, index, counter) {
  const runs = known ? comparedRuns(view, slots.runs.data?.runs ?? [], selection.run) : [];
  const names = runs.map((one) => one.run);
  const other = names.at(-1) ?? null;
  const [run, name] = [selection.run ?? "", other ?? ""];
  const { group, metric } = selection;
  const [groupName, metricName] = [group ?? "", metric ?? ""];
  // Another run's list of rows says nothing of this one's.
  const theirs = slots.otherLayers.data?.run === other ? slots.otherLayers.data?.groups : null;
  const there = theirs?.find((one) => one.group === group);
  const measured = other !== null && mapped && !!there?.metrics.some((one) => one.name === metric);
  const read = slots.otherLayers.data?.tags ?? "";
  const partner = partnerOf(slots.compare.data, run, other, group, index);
  const { group: side, index: at } = counter ?? { group: null, index: -1 };
  const opposite = partnerOf(slots.compare.data, run, other, side, at);
  const depth = profileMetrics(theirs ?? [])
    .filter((one) => one.group !== group || one.metric.name !== metric)
    .map((one) => [one.group, one.metric.name]);
  return {
    overlays: {
      key: keyIf(names.length > 0, names),
      fetchReply: (signal) => api.overlays(names, signal),
    },
    compare: {
      key: keyIf(other !== null, run, other),
      fetchReply: (signal) => api.compare(run, name, signal),
    },
    otherLayers: {
      key: keyIf(other !== null, other),
      fetchReply: async (signal) => ({ ...(await api.layers(name, signal)), tags: view.tags }),
    },
    otherHeat: {
      key: keyIf(measured, other, group, metric, read),
      fetchReply: (signal) => api.heatmap(name, groupName, metricName, signal),
    },
    otherLayer: {
      key: keyIf(mapped && partner !== null, other, group, partner, read),
      fetchReply: (signal) => api.layer(name, groupName, partner ?? 0, signal),
    },
    otherCounterpart: {
      key: keyIf(opposite !== null, other, side, opposite, read),
      fetchReply: (signal) => api.layer(name, side ?? "", opposite ?? 0, signal),
    },
    otherProfiles: {
      key: keyIf(mapped && view.tab === "profile" && depth.length > 0, other, depth, read),
      fetchReply: (signal) =>
        Promise.all(depth.map(([of, what]) => api.heatmap(name, of, what, signal))),
    },
    difference: {
      key: keyIf(measured && view.map === "difference", run, other, group, metric, read),
      fetchReply: (signal) => api.difference(run, name, groupName, metricName, signal),
    },
  };
}

/**
 * @param {boolean} on
 * @param {unknown[]} parts
 */
function keyIf(on, ...parts) {
  return on ? JSON.stringify(parts) : "";
}
