/**
 * In which order replies come on screen. Each drawing for the first time takes a good part of a
 * frame, so a frame holds one of them: what is asked first is answered first. Findings before all,
 * then the map, then the curves, and the views beneath the map last.
 *
 * @import { State } from "./state.js"
 */

/** @typedef {State["slots"]} Slots */

/** What the views beneath the map show. @satisfies {(keyof Slots)[]} */
const BENEATH = /** @type {const} */ ([
  "layer",
  "counterpart",
  "histogram",
  "profiles",
  "otherLayer",
  "otherCounterpart",
  "otherProfiles",
]);

/**
 * @param {Slots} slots  As they are.
 * @param {Slots} drawn  As they are on screen.
 * @param {boolean} patient  Whether what costs much waits for a first map that is on its way: drawn
 *   meanwhile, it would be in the map's way.
 * @returns {{slots: Slots, beneath: Slots["heat"], waiting: boolean, awaited: boolean}} What to draw
 *   now; the map as the views beneath are to know it; whether something waits for the next frame;
 *   whether something waits for the map.
 */
export function inRenderOrder(slots, drawn, patient) {
  const coming = patient && drawn.heat.data === null && slots.heat.status === "loading";
  const map = coming || isNew(slots.heat, drawn.heat);
  const findings = isNew(slots.findings, drawn.findings) && drawn.findings.data === null;
  /** @type {(keyof Slots)[]} */
  const held = [];
  // Curves that are on screen already are renewed with the rest.
  if ((map || findings) && drawn.series.data === null) held.push("series");
  if (map) held.push(...BENEATH);
  const waiting = held.filter(
    (name) => slots[name] !== drawn[name] && slots[name].key === drawn[name].key,
  );
  return {
    slots: { ...slots, ...Object.fromEntries(waiting.map((name) => [name, drawn[name]])) },
    beneath: map ? drawn.heat : slots.heat,
    waiting: !coming && (map || waiting.length > 0),
    awaited: coming && waiting.length > 0,
  };
}

/**
 * Whether there is a reply that is not on screen.
 *
 * @param {import("../data/loader.js").Slot<any>} slot
 * @param {import("../data/loader.js").Slot<any>} drawn
 */
function isNew(slot, drawn) {
  return slot.data !== null && slot.data !== drawn.data;
}
