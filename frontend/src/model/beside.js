/**
 * The runs beside the selected one: who they are, their colors, and what each view is given of
 * the one compared in detail.
 *
 * @import { Pairs } from "../data/pairs.js"
 * @import { CompareReply, Group, Heat, Overlay, RunSummary } from "../types.js"
 * @import { State } from "../state/state.js"
 * @import { MapBeside } from "./map.js"
 */
import { runColor, runColors, runMark } from "../charts/palette.js";
import { pairsOf } from "../data/pairs.js";
import { comparedRuns, missingRuns } from "../state/compared.js";
import { memo } from "../state/memo.js";

/**
 * @typedef {object} BesideModel
 * @property {RunSummary[]} runs  The last one is compared in detail.
 * @property {RunSummary | null} other  That one.
 * @property {(run: string) => string} color
 * @property {(run: string) => string} mark  Shape of its dot.
 * @property {string} own  The selected run's.
 * @property {{own: string, other: string}} colors  Of the two that are compared in detail.
 * @property {Overlay[]} overlays
 * @property {string[]} missing  Asked for and not there.
 * @property {Group | null} group  The selected group of `other`.
 * @property {Pairs | null} pairs  Of the selected group.
 * @property {CompareReply | null} reply  Of these two runs.
 * @property {MapBeside | null} map
 */

export function createBesideModel() {
  const listing = memo(comparedRuns);
  const missing = memo(missingRuns);
  const coloring = memo(colorOf);
  const marking = memo(markOf);
  const placing = memo(placesOf);
  const pairing = memo(pairsOf);
  const mapping = memo(mapOf);
  const standing = memo(standingOverlays);

  /**
   * @param {State} state
   * @param {RunSummary[]} runs
   * @param {Group | null} group
   * @returns {BesideModel}
   */
  return ({ selection, view, slots, theme, hostRuns }, runs, group) => {
    const places = placing(runs, hostRuns);
    const beside = listing(view, runs, selection.run);
    const other = beside.at(-1) ?? null;
    const run = selection.run ?? "";
    const color = coloring(places, beside, run, theme);
    const own = color(run);
    const rest = {
      runs: beside,
      color,
      mark: marking(places),
      own,
      overlays: standing(slots.overlays.data ?? slots.overlays.previous, beside),
      missing: missing(selection.missing, view.compared, runs),
    };
    if (!other) return { ...rest, other, ...NOTHING, colors: { own, other: own } };
    const reply = replyOf(slots.compare.data, run, other.run);
    const theirs = groupOf(slots.otherLayers.data, other.run, group);
    const drawn = slots.difference.data ?? slots.difference.previous;
    return {
      ...rest,
      other,
      reply,
      colors: { own, other: color(other.run) },
      group: theirs,
      pairs: reply && group && slots.otherLayers.data ? pairing(reply, group, theirs) : null,
      map: group && mapping(reply, slots.otherHeat.data, drawn, other.run, run, group),
    };
  };
}

const NOTHING = { reply: null, group: null, pairs: null, map: null };

/**
 * Places of runs by name, from which their colors follow: TensorBoard's own where it says its order. Of
 * a run that was read from several of TensorBoard's, that of the one of its name, else of the first.
 *
 * @param {RunSummary[]} runs
 * @param {string[] | null} hostRuns
 * @returns {Map<string, number>}
 */
export function placesOf(runs, hostRuns) {
  const there = new Map((hostRuns ?? []).map((name, index) => [name, index]));
  return new Map(
    runs.map((run, index) => {
      const known = [run.run, ...(run.source_runs ?? [])].find((name) => there.has(name));
      return [run.run, (known === undefined ? undefined : there.get(known)) ?? index];
    }),
  );
}

/**
 * Shapes of the runs' dots by name.
 *
 * @param {Map<string, number>} places
 * @returns {(run: string) => string}
 */
function markOf(places) {
  return (run) => runMark(places.get(run) ?? 0);
}

/**
 * @param {CompareReply | null} reply
 * @param {string} run
 * @param {string} other
 */
function replyOf(reply, run, other) {
  return reply?.run === run && reply.with === other ? reply : null;
}

/**
 * @param {import("../types.js").LayersReply | null} layers
 * @param {string} run
 * @param {Group | null} group
 */
function groupOf(layers, run, group) {
  if (layers?.run !== run) return null;
  return layers.groups.find((one) => one.group === group?.group) ?? null;
}

/**
 * Curves that are here, of runs that are still compared.
 *
 * @param {Overlay[] | null} overlays
 * @param {RunSummary[]} runs
 */
function standingOverlays(overlays, runs) {
  return (overlays ?? []).filter((one) => runs.some(({ run }) => run === one.run));
}

/**
 * Colors of runs by name. Those that stand in one chart differ, whatever their place in the list;
 * the selected one keeps its own.
 *
 * @param {Map<string, number>} places
 * @param {RunSummary[]} beside
 * @param {string | null} selected
 * @param {"light" | "dark"} theme
 * @returns {(run: string) => string}
 */
export function colorOf(places, beside, selected, theme) {
  /** @type {Map<string, string>} */
  const chosen = new Map();
  const taken = new Set();
  for (const name of [selected ?? "", ...beside.map((run) => run.run)]) {
    const place = places.get(name) ?? 0;
    const color = runColors(place, theme).find((one) => !taken.has(one)) ?? runColor(place, theme);
    taken.add(color);
    chosen.set(name, color);
  }
  return (run) => chosen.get(run) ?? runColor(places.get(run) ?? 0, theme);
}

/**
 * @param {CompareReply | null} reply  null while it is not that of these two runs.
 * @param {Heat | null} heat
 * @param {Heat | null} difference
 * @param {string} other
 * @param {string} run
 * @param {Group} group
 * @returns {MapBeside}
 */
function mapOf(reply, heat, difference, other, run, group) {
  const partners = reply?.groups.find((one) => one.group === group.group)?.partners ?? NO_PARTNERS;
  const header = /** @type {(Heat["header"] & {with?: string}) | undefined} */ (difference?.header);
  const fits =
    header?.run === run &&
    header.with === other &&
    header.group === group.group &&
    header.rows === group.rows.length;
  return {
    run: other,
    partners,
    heat: heat?.header.run === other && heat.header.group === group.group ? heat : null,
    // Without the pairs nobody knows which of its rows mean anything.
    difference: fits && reply ? difference : null,
  };
}

/** @type {(number | null)[]} */
const NO_PARTNERS = [];
