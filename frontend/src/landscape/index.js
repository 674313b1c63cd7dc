/**
 * Entry of the view "Landscape", a file of its own that is fetched when the view is opened.
 *
 * It keeps what only this view needs: the landscapes it fetched, how surfaces are turned, where the
 * cross is. Which runs are A and B is the page's own choice of runs.
 *
 * @import { Colors } from "./colors.js"
 * @import { Shown } from "./panel.js"
 * @import { Listed, Place, Reply, Turn } from "./types.js"
 * @import { Choice } from "./view.js"
 */
import { renderInto } from "../charts/template.js";
import { readColors } from "./colors.js";
import { where } from "./panel.js";
import { parcelOf } from "./save.js";
import { scaleOf } from "./scale.js";
import { rangeOf } from "./slices.js";
import { FIRST_TURN } from "./surface.js";
import { CODE, view } from "./view.js";

/** Other runs that are asked whether they have landscapes. */
const MOST_ASKED = 40;
const ASKED_AT_ONCE = 3;

/**
 * @typedef {object} Props
 * @property {string[]} runs
 * @property {string} run
 * @property {string | null} other
 * @property {string} theme
 * @property {string} stamp  Changes with what TensorBoard has read.
 *
 * @typedef {object} Host  What the page does for the view.
 * @property {(run: string) => Promise<{landscapes: Listed[]}>} list
 * @property {(run: string, name: string) => Promise<Reply>} fetchOne
 * @property {(side: "A" | "B", run: string) => void} choose
 * @property {(name: string, blob: Blob) => void} save
 * @property {(text: string, button: HTMLElement) => void} copy
 *
 * @typedef {{landscapes: Listed[]} | {problem: string} | null} Known  null while it is fetched.
 */

/**
 * @param {HTMLElement} root
 * @param {Host} host
 */
export function mount(root, host) {
  /** @type {Props | null} */
  let props = null;
  /** @type {Colors} */
  let colors;
  /** @type {Map<string, Known>} */
  let lists = new Map();
  /** @type {Map<string, Reply | {problem: string} | null>} */
  let replies = new Map();
  let asked = "";
  const state = {
    name: "",
    pair: 0,
    together: true,
    layout: /** @type {"both" | "A" | "B"} */ ("both"),
    turns: { A: /** @type {Turn} */ (FIRST_TURN), B: /** @type {Turn} */ (FIRST_TURN) },
    cursor: /** @type {Place | null} */ (null),
    said: "",
  };

  /** @param {string} run */
  async function listed(run) {
    if (lists.has(run)) return;
    const into = lists;
    into.set(run, null);
    try {
      into.set(run, await host.list(run));
    } catch (error) {
      into.set(run, { problem: /** @type {Error} */ (error).message });
    }
    draw();
  }

  /**
   * @param {string} run
   * @param {string} name
   */
  async function fetched(run, name) {
    const key = JSON.stringify([run, name]);
    if (replies.has(key)) return;
    const into = replies;
    into.set(key, null);
    try {
      into.set(key, await host.fetchOne(run, name));
    } catch (error) {
      into.set(key, { problem: /** @type {Error} */ (error).message });
    }
    draw();
  }

  /** Asks the other runs, a few at a time, so that the lists can say which have a landscape. */
  async function askAround() {
    if (!props || asked === props.stamp) return;
    asked = props.stamp;
    const waiting = props.runs.slice(0, MOST_ASKED);
    const worker = async () => {
      for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) await listed(run);
    };
    await Promise.all(Array.from({ length: ASKED_AT_ONCE }, worker));
  }

  /**
   * @param {"A" | "B"} side
   * @param {string} run
   * @returns {Choice}
   */
  function choice(side, run) {
    listed(run);
    const known = lists.get(run) ?? null;
    const landscapes = landscapesOf(known);
    const name = side === "A" ? nameFor(landscapes) : partner(landscapes);
    if (name) fetched(run, name);
    const reply = name ? replies.get(JSON.stringify([run, name])) : undefined;
    const problem = problemOf(known) || problemOf(reply);
    return {
      side,
      run,
      landscapes,
      name,
      problem: problem && `${run}: ${problem}`,
      pending: known === null || (name !== "" && reply === null),
    };
  }

  /** @param {Listed[]} landscapes */
  function nameFor(landscapes) {
    const names = landscapes.map((one) => one.name);
    return names.includes(state.name) ? state.name : (names[0] ?? "");
  }

  /**
   * The landscape of B that goes with A's: of the same name, else along directions of the same kind.
   *
   * @param {Listed[]} landscapes
   */
  function partner(landscapes) {
    const known = props ? lists.get(props.run) : null;
    const own = landscapesOf(known ?? null);
    const shown = own.find((one) => one.name === nameFor(own));
    const found =
      landscapes.find((one) => one.name === shown?.name) ??
      landscapes.find(
        (one) => one.directions === shown?.directions && one.dimensions === shown?.dimensions,
      );
    return found?.name ?? "";
  }

  /**
   * @param {Choice[]} choices
   * @returns {{side: "A" | "B", run: string, reply: Reply}[]}
   */
  function ready(choices) {
    return choices.flatMap(({ side, run, name }) => {
      const reply = replies.get(JSON.stringify([run, name]));
      return reply && "landscape" in reply ? [{ side, run, reply }] : [];
    });
  }

  let drawing = 0;
  function draw() {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(drawNow);
  }

  function drawNow() {
    if (!props) return;
    const a = choice("A", props.run);
    const b = props.other === null ? null : choice("B", props.other);
    const layout = b ? state.layout : "A";
    const found = ready(b ? [a, b] : [a]).filter(
      ({ side }) => layout === "both" || side === layout,
    );
    const pairs = Math.min(...found.map(({ reply }) => reply.landscape.planes.length));
    const pair = Math.min(state.pair, Math.max(0, pairs - 1));
    const planes = found.map(({ reply }) => reply.landscape.planes[pair]);
    const scale = scaleOf(planes.filter((plane) => plane.y)) ?? FLAT;
    const range = rangeOf(planes);
    /** @type {Shown[]} */
    const shown = found.map((one, at) => ({
      ...one,
      plane: planes[at],
      scale,
      range,
      colors,
      turn: state.turns[one.side],
      cursor: within(state.cursor, planes[at]),
    }));
    /** @type {Map<string, boolean>} */
    const having = new Map();
    for (const [run, known] of lists) {
      if (known) having.set(run, landscapesOf(known).length > 0);
    }
    const page = {
      ...{ runs: props.runs, having, a, b, layout, pair, shown, scale, said: state.said },
      ...{ pairs: found.length ? pairs : 0, together: state.together, colors: colors.loss },
    };
    renderInto(view(page, acts), root);
    askAround();
  }

  const acts = {
    choose: host.choose,
    /** @param {string} name */
    directions(name) {
      Object.assign(state, { name, pair: 0, cursor: null });
      draw();
    },
    /** @param {"both" | "A" | "B"} layout */
    layout(layout) {
      state.layout = layout;
      draw();
    },
    /** @param {number} pair */
    pair(pair) {
      state.pair = pair;
      draw();
    },
    /** @param {boolean} on */
    together(on) {
      state.together = on;
      if (on) state.turns.B = state.turns.A;
      draw();
    },
    /**
     * @param {"A" | "B"} side
     * @param {Place | null} place
     * @param {boolean} aloud
     */
    point(side, place, aloud) {
      state.cursor = place;
      const run = side === "A" ? props?.run : props?.other;
      const one = run ? ready([choice(side, run)])[0] : undefined;
      const plane = one?.reply.landscape.planes[state.pair];
      if (aloud && plane && place) state.said = where(plane, place);
      draw();
    },
    /**
     * @param {"A" | "B"} side
     * @param {Turn} turn
     */
    turn(side, turn) {
      if (state.together) state.turns = { A: turn, B: turn };
      else state.turns[side] = turn;
      draw();
    },
    /** @param {"png" | "csv" | "json"} format */
    async save(format) {
      if (!props) return;
      const both = ready([
        choice("A", props.run),
        ...(props.other === null ? [] : [choice("B", props.other)]),
      ]);
      const file = await parcelOf(format, both, root);
      if (file) host.save(file.name, file.blob);
      state.said = file ? `Saved ${file.name}.` : "There is nothing to export.";
      draw();
    },
    /** @param {HTMLElement} button */
    copy: (button) => host.copy(CODE, button),
  };

  return {
    /** @param {Props} next */
    update(next) {
      if (props && next.stamp !== props.stamp) {
        lists = new Map();
        replies = new Map();
      }
      if (!props || next.theme !== props.theme || !colors) colors = readColors(root);
      const same = props !== null && JSON.stringify(next) === JSON.stringify(props);
      props = next;
      if (!same) draw();
    },
  };
}

/**
 * @param {Known} known
 * @returns {Listed[]}
 */
function landscapesOf(known) {
  return known && "landscapes" in known ? known.landscapes : [];
}

/** @param {object | null | undefined} found */
function problemOf(found) {
  return found && "problem" in found ? String(found.problem) : "";
}

/** @type {import("./scale.js").Scale} */
const FLAT = { levels: [1], low: 0.5, high: 2 };

/**
 * @param {Place | null} place
 * @param {import("./types.js").Plane} plane
 */
function within(place, plane) {
  return place && plane.y && place.i < plane.x.length && place.j < plane.y.length ? place : null;
}
