/**
 * Fetches what the page wants to show, one reply a slot: a newer wish cancels the older one, a
 * reply seen before is shown at once, and on a refresh the old reply stays until the new one is
 * here.
 */
import { ApiError } from "./api.js";

/**
 * @template T
 * @typedef {object} Slot
 * @property {string} key  What is wanted; "" for nothing.
 * @property {"idle" | "loading" | "ready" | "error"} status
 * @property {T | null} data  The reply for `key`; while refreshing, the previous one for `key`.
 * @property {T | null} previous  The last reply of another key, to show dimmed meanwhile.
 * @property {ApiError | null} error
 */

/** @returns {Slot<any>} */
export function emptySlot() {
  return { key: "", status: "idle", data: null, previous: null, error: null };
}

const REMEMBERED = 40;

/**
 * @param {(name: string, slot: Slot<any>) => void} changed Told about every change of a slot.
 */
export function createLoader(changed) {
  /** @type {Map<string, Slot<any>>} */
  const slots = new Map();
  /** @type {Map<string, AbortController>} */
  const running = new Map();
  /** @type {Map<string, any>} */
  const replies = new Map();

  /** @param {string} name @param {Slot<any>} slot */
  function put(name, slot) {
    slots.set(name, slot);
    changed(name, slot);
  }

  /** @param {string} cacheKey @param {any} data */
  function remember(cacheKey, data) {
    replies.delete(cacheKey);
    replies.set(cacheKey, data);
    for (const oldest of replies.keys()) {
      if (replies.size <= REMEMBERED) break;
      replies.delete(oldest);
    }
  }

  /**
   * @param {string} name
   * @param {string} key
   * @param {(signal: AbortSignal) => Promise<any>} fetchReply
   */
  async function load(name, key, fetchReply) {
    running.get(name)?.abort();
    const controller = new AbortController();
    running.set(name, controller);
    try {
      const data = await fetchReply(controller.signal);
      if (running.get(name) !== controller) return;
      remember(`${name} ${key}`, data);
      put(name, { key, status: "ready", data, previous: null, error: null });
    } catch (error) {
      if (running.get(name) !== controller || controller.signal.aborted) return;
      const reason =
        error instanceof ApiError
          ? error
          : new ApiError(
              "The page could not process the reply. This is a bug in the page.",
              "damaged",
            );
      const held = slots.get(name) ?? emptySlot();
      put(name, { ...held, key, status: "error", error: reason });
    } finally {
      if (running.get(name) === controller) running.delete(name);
    }
  }

  return {
    /**
     * States what slot `name` should hold; fetches it unless it is there or under way.
     *
     * @param {string} name
     * @param {string} key "" for nothing.
     * @param {(signal: AbortSignal) => Promise<any>} fetchReply
     */
    want(name, key, fetchReply) {
      const held = slots.get(name) ?? emptySlot();
      if (held.key === key) return;
      running.get(name)?.abort();
      running.delete(name);
      const known = replies.get(`${name} ${key}`);
      if (key === "") {
        put(name, emptySlot());
      } else if (known !== undefined) {
        put(name, { key, status: "ready", data: known, previous: null, error: null });
      } else {
        const previous = held.data ?? held.previous;
        put(name, { key, status: "loading", data: null, previous, error: null });
        load(name, key, fetchReply);
      }
    },

    /**
     * Fetches slot `name` again, keeping what is shown.
     *
     * @param {string} name
     * @param {(signal: AbortSignal) => Promise<any>} fetchReply
     * @param {boolean} [quietly] Keep an error on screen, too, until there is a reply.
     */
    again(name, fetchReply, quietly = false) {
      const held = slots.get(name);
      if (!held || held.key === "") return;
      if (held.data === null && !quietly) put(name, { ...held, status: "loading", error: null });
      load(name, held.key, fetchReply);
    },

    /** Forgets replies that are not on screen: the data behind them have changed. */
    forget() {
      replies.clear();
    },
  };
}

/** @typedef {ReturnType<typeof createLoader>} Loader */
