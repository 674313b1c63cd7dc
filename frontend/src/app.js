/**
 * Holds the state, fetches what the selection asks for, and draws the page after every change.
 *
 * @import { Cursor, Hover } from "./charts/cursor.js"
 * @import { Api } from "./data/api.js"
 * @import { State } from "./state/state.js"
 */
import { render } from "lit-html";
import { createSignal } from "./charts/cursor.js";
import { readPalette } from "./charts/palette.js";
import { ApiError } from "./data/api.js";
import { createLoader } from "./data/loader.js";
import { startPoll } from "./data/poll.js";
import { createRecovery } from "./data/recovery.js";
import { wanted } from "./data/wanted.js";
import { createHandlers } from "./handlers.js";
import { onArrival, readHash, writeHash } from "./host/address.js";
import { copyNamesWhole } from "./host/clipboard.js";
import { createFullScreen } from "./host/full_screen.js";
import { remembered } from "./host/memory.js";
import { notifies, notify } from "./host/notify.js";
import { onReload } from "./host/reload.js";
import { createReveal } from "./host/reveal.js";
import { keepSettings, readSettings, storage } from "./host/settings.js";
import { listenToShortcuts } from "./host/shortcuts.js";
import { followTheme } from "./host/theme.js";
import { setTitle } from "./host/title.js";
import { createModel } from "./model/model.js";
import { announcement } from "./state/announcements.js";
import { movesOn, readLink, writeLink } from "./state/link.js";
import { newsOf } from "./state/news.js";
import { inRenderOrder } from "./state/render_order.js";
import { settle, showFinding } from "./state/selection.js";
import { DEFAULT_VIEW, initialState, linkedState } from "./state/state.js";
import { scalarAnswers, soundTags, withScalars } from "./state/tags.js";
import { watch } from "./state/watched.js";
import { page } from "./views/page.js";

/** @type {Record<string, string>} */
const NOTHING = {};
/** Replies whose key does not tell how histograms were read; see data/wanted.js. */
const READ_ANEW = ["runs", "findings", "series", "layers", "overlays", "compare", "otherLayers"];
/** Quiet time before the address follows the state. */
const ADDRESS_DELAY_MILLISECONDS = 250;
/** Pause before asking again for runs that are still being examined. */
const PENDING_DELAY_MILLISECONDS = 150;
/** How often the age of the last record is written anew. */
const CLOCK_MILLISECONDS = 5_000;
/** How long curves, ready to be drawn, wait for the first map. */
const PATIENCE_MILLISECONDS = 150;

/**
 * @param {HTMLElement} root
 * @param {(always: () => Record<string, string>) => Api} connect
 */
export function startApp(root, connect) {
  const linked = readLink(readHash());
  // A link to someone else's view is shown as they saw it.
  const says = Object.keys(linked.view).length > 0 || Object.keys(linked.selection).length > 0;
  let state = initialState(linked);
  if (!says) state = { ...state, view: { ...state.view, ...readSettings(storage()) } };
  const api = connect(() => (state.view.tags ? { tags: state.view.tags } : NOTHING));
  const model = createModel();
  const around = {
    palette: readPalette(root),
    cursor: /** @type {Cursor} */ (createSignal()),
    hover: /** @type {Hover} */ (createSignal()),
    ends: /** @type {import("./charts/line.js").Ends} */ (createSignal()),
    landscapes: api.landscapes,
    experiments: api.experiments,
  };

  const loader = createLoader((name, slot) => {
    const before = state.slots[/** @type {keyof State["slots"]} */ (name)];
    const said = announcement(name, slot, before) || state.said;
    const part = { slots: { ...state.slots, [name]: slot }, said, ...news(name, slot, before) };
    if (slot.status === "ready" && name === "runs") {
      Object.assign(part, { clock: { now: seconds(), read: seconds() } });
    }
    const { findings, layers } = part.slots;
    const opens = findings.data !== null && layers.data !== null && drawn.findings.data === null;
    // First findings with what they name, and a map, each have a frame for themselves: it is
    // prepared while that is waited for.
    if (slot.status === "ready" && (name === "heat" || opens)) change(part);
    else changeSoon(part);
    recovery.told(name, slot);
    if (name === "runs" && state.version === "") change({ version: slot.data?.version ?? "" });
    if (name === "runs" && slot.status === "ready" && slot.data.pending > 0) {
      setTimeout(() => again("runs"), PENDING_DELAY_MILLISECONDS);
    }
  });

  /**
   * What a refreshed reply brings that a person must hear of. Where they have chosen nothing by hand
   * the page goes there by itself, and offers the way back; else it only offers to go.
   *
   * @param {string} name
   * @param {import("./data/loader.js").Slot<any>} slot
   * @param {import("./data/loader.js").Slot<any>} before
   * @returns {Partial<State>}
   */
  function news(name, slot, before) {
    if (slot.status !== "ready" || before.data === null || before.key !== slot.key) return {};
    const { selection, slots, touched } = state;
    const watched =
      name === "findings" ? watch(state.watched, before.data, slot.data) : state.watched;
    const found = newsOf(name, before.data, slot.data, selection.run);
    if (!found) return { watched };
    tell(`${found.title} – ${found.run}`, `from step ${found.step} on`);
    if (found.finding === null || found.finding === selection.finding || touched) {
      return { news: found, watched };
    }
    const { findings } = slot.data;
    const finding = findings.find((/** @type {{id: string}} */ one) => one.id === found.finding);
    const next = showFinding(selection, finding, slots.layers.data?.groups ?? [], findings);
    return { news: { ...found, back: selection }, selection: next, watched };
  }

  /** What this browser remembers of these scalars is said again, unless the link says otherwise. */
  let recalled = false;
  function recall() {
    const { findings } = state.slots;
    if (recalled || !findings.data) return;
    const { scalars = [] } = findings.data;
    if (!scalars.some(({ use }) => use === "asked")) return;
    recalled = true;
    const said = soundTags(remembered(scalars.map(({ tag }) => tag)));
    if (said && scalarAnswers(state.view.tags).size === 0) {
      const tags = withScalars(state.view.tags, scalarAnswers(said));
      state = { ...state, view: { ...state.view, tags } };
    }
  }

  /** @param {string} title @param {string} body */
  function tell(title, body) {
    if (document.hidden) notify(title, body);
  }

  /** @param {string} name @param {boolean} [quietly] */
  function again(name, quietly) {
    loader.again(name, wanted(state, api)[name].fetchReply, quietly);
  }

  const recovery = createRecovery((name) => again(name, true), refresh);

  /** TensorBoard has read new data while another of its tabs was open. */
  let missed = false;
  function refreshWhenShown() {
    missed = isHidden();
    if (!missed) refresh();
  }

  function refresh() {
    loader.forget();
    for (const name of Object.keys(wanted(state, api))) again(name);
  }

  /** Whether a person changed something since the address was written. */
  let byHand = false;
  const handlers = createHandlers({
    current: () => state,
    change(part) {
      byHand ||= part.selection !== undefined || part.view !== undefined;
      if (part.view) keepSettings(storage(), part.view);
      // Another run is looked at with fresh eyes: there the page may lead again.
      const other = part.selection && part.selection.run !== state.selection.run;
      const touched =
        part.touched ?? (other ? false : state.touched || part.selection !== undefined);
      change({ ...part, touched });
    },
    again,
    refresh,
    model: () => model(state, around),
    around,
  });

  let scheduled = false;
  let undrawn = false;
  const reveal = createReveal(root);
  const fullScreen = createFullScreen(root, () => change({ view: { ...state.view, full: null } }));
  /** @param {Partial<State>} part */
  function change(part) {
    const leaves = part.view && part.view.page !== state.view.page;
    state = { ...state, ...part };
    // A view that is drawn anew stands at its top.
    if (leaves) state = { ...state, table: { ...state.table, scrolled: 0 } };
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      follow();
      draw();
    });
  }

  let frame = 0;
  /**
   * What nobody did by hand is drawn with the next frame: replies that come together, together.
   * What they make known is asked for at once.
   *
   * @param {Partial<State>} part
   */
  function changeSoon(part) {
    state = { ...state, ...part };
    frame ||= requestAnimationFrame(draw);
    queueMicrotask(follow);
  }

  /** What was drawn comes on screen; what waited for that is drawn after it. */
  function goOn() {
    frame = 0;
    setTimeout(changeSoon, 0, {});
  }

  /** Only what has arrived for the selected run counts: slots may still hold the run before. */
  function settleSelection() {
    const { slots } = state;
    const wishes = wanted(state, api);
    const selection = settle(state.selection, {
      runs: slots.runs.data?.runs ?? null,
      pending: slots.runs.data?.pending ?? 0,
      findings:
        slots.findings.key === wishes.findings.key ? (slots.findings.data?.findings ?? null) : null,
      groups: slots.layers.key === wishes.layers.key ? (slots.layers.data?.groups ?? null) : null,
      hidden: state.view.hiddenRuns,
    });
    if (selection !== state.selection) state = { ...state, selection };
  }

  /** What was said of histograms when replies were last asked for. */
  let told = state.view.tags;
  /** Maps and layers follow when the list of layers is here. */
  function rereadAfterAnswer() {
    if (state.view.tags === told) return;
    told = state.view.tags;
    loader.forget();
    for (const name of READ_ANEW) again(name);
  }

  /** Asks for what the state wants to show. */
  function follow() {
    settleSelection();
    recall();
    rereadAfterAnswer();
    for (const [name, { key, fetchReply }] of Object.entries(wanted(state, api))) {
      loader.want(name, key, fetchReply);
    }
  }

  /** As the page shows them. */
  let drawn = state.slots;
  let patient = true;
  let patience = 0;
  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    // Nobody sees it, and nothing can be measured: drawn when the tab is shown.
    undrawn = isHidden();
    if (undrawn) return;
    const turn = inRenderOrder(state.slots, drawn, patient);
    drawn = turn.slots;
    const shown = { ...state, slots: drawn };
    render(page(shown, model(shown, around, turn.beneath), handlers, around), root);
    if (turn.waiting) frame = requestAnimationFrame(goOn);
    if (turn.awaited && patience === 0) {
      patience = window.setTimeout(() => {
        patient = false;
        changeSoon({});
      }, PATIENCE_MILLISECONDS);
    }
    if (isReady(state)) root.dataset.ready = "true";
    followBar(root);
    fullScreen(state.view.full);
    reveal(state.selection);
    saveAddress();
    const told = state.news;
    setTitle(told ? `(!) ${told.title} – ${told.run}` : null);
  }

  let addressTimer = 0;
  function saveAddress() {
    clearTimeout(addressTimer);
    addressTimer = window.setTimeout(() => {
      if (state.selection.run === null) return;
      const hash = readHash();
      const next = writeLink(hash, state.selection, state.view, DEFAULT_VIEW);
      // What the page fills in by itself belongs to the place that the person chose.
      if (next !== hash) writeHash(next, byHand && movesOn(hash, next));
      byHand = false;
    }, ADDRESS_DELAY_MILLISECONDS);
  }
  onArrival((hash) => {
    if (hash === writeLink(hash, state.selection, state.view, DEFAULT_VIEW)) return;
    byHand = false;
    change(linkedState(readLink(hash)));
  });

  followTheme((theme) => {
    document.documentElement.dataset.theme = theme;
    around.palette = readPalette(root);
    change({ theme });
  });
  // Canvases measured their text in the typeface that stood in.
  document.fonts.addEventListener("loadingdone", () => {
    around.palette = readPalette(root);
    changeSoon({});
  });
  onReload(refreshWhenShown, (hostRuns) => changeSoon({ hostRuns }));
  state = { ...state, notify: notifies() };
  startPoll({
    stamp: () => api.stamp(new AbortController().signal),
    known: () => state.slots.runs.data?.stamp ?? "",
    pace() {
      if (isHidden()) return "never";
      if (document.hidden) return "unseen";
      return model(state, around).live?.state === "running" ? "often" : "seldom";
    },
    answered(changed) {
      if (changed) refresh();
      else changeSoon({ clock: { now: seconds(), read: seconds() } });
    },
    failed(error) {
      if (error instanceof ApiError) again("runs", true);
    },
  });
  setInterval(() => {
    if (!isHidden() && !document.hidden) {
      changeSoon({ clock: { ...state.clock, now: seconds() } });
    }
  }, CLOCK_MILLISECONDS);
  listenToShortcuts(root, handlers);
  copyNamesWhole(root);
  const measure = () => {
    const [width, height] = [root.clientWidth, window.innerHeight];
    const { size } = state;
    if (missed && !isHidden()) refreshWhenShown();
    if (undrawn && !isHidden()) change({});
    if (width > 0 && height > 0 && (width !== size.width || height !== size.height)) {
      change({ size: { width, height } });
    }
  };
  new ResizeObserver(measure).observe(document.documentElement);
  // A page longer than its frame does not change its own size when the frame changes in height.
  window.addEventListener("resize", measure);
  change({});
}

function seconds() {
  return Date.now() / 1000;
}

/** TensorBoard keeps the frame of a tab that is not open, with a height of 0. */
function isHidden() {
  return window.innerHeight === 0;
}

/**
 * Tells the style sheet how tall the runs bar is: what sticks does so beneath it.
 *
 * @param {HTMLElement} root
 */
function followBar(root) {
  const bar = /** @type {HTMLElement | null} */ (root.querySelector(".runs"));
  const height = `${bar?.offsetHeight ?? 0}px`;
  if (root.style.getPropertyValue("--bar-height") !== height) {
    root.style.setProperty("--bar-height", height);
  }
}

/**
 * Whether the first findings (or the reason there are none) are on screen.
 *
 * @param {State} state
 */
function isReady({ slots }) {
  if (slots.runs.status === "error") return true;
  if (slots.runs.data === null) return false;
  if (slots.findings.key === "") return true;
  return slots.findings.data !== null || slots.findings.status === "error";
}
