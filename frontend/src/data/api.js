/**
 * Talks to the plugin's routes. Addresses are relative to the page, so they hold under any path
 * prefix and behind a proxy.
 */
import { fetchCandidates } from "./candidates.js";
import { decodeHeat } from "./decode.js";

/**
 * @import {
 *   CompareReply, HistogramReply, FindingsReply, Heat, LayerReply, LayersReply, Overlay,
 *   RunsReply, SeriesReply
 * } from "../types.js"
 */

/** Version of the interface this page understands. */
export const SCHEMA = 1;

/** Cells across that a heat map is asked for; the server may send fewer. */
const HEAT_WIDTH = 1000;
const SERIES_POINTS = 1000;
const LAYER_POINTS = 600;
const HISTOGRAM_WIDTH = 400;

/** A signal of requests that are never called back. */
const NEVER = new AbortController().signal;

/** What went wrong, in words for a person, and whether trying again can help. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {"schema" | "network" | "busy" | "missing" | "refused" | "server" | "damaged"} reason
   */
  constructor(message, reason) {
    super(message);
    this.name = "ApiError";
    this.reason = reason;
  }
}

/**
 * @param {string} route
 * @param {Record<string, string | number>} parameters
 */
export function address(route, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
  const text = query.toString();
  return text ? `${route}?${text}` : route;
}

/**
 * @param {typeof fetch} fetcher
 * @param {() => Record<string, string>} [always] Parameters of every request about runs.
 */
export function createApi(fetcher, always = () => ({})) {
  /**
   * @param {string} route
   * @param {Record<string, string | number>} parameters
   * @param {AbortSignal} signal
   */
  async function request(route, parameters, signal) {
    let response;
    try {
      response = await fetcher(address(route, { ...parameters, ...always() }), {
        signal,
        cache: "no-cache",
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new ApiError("TensorBoard does not answer. Is it still running?", "network");
    }
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /**
   * @template {{schema: number}} Reply
   * @param {string} route
   * @param {Record<string, string | number>} parameters
   * @param {AbortSignal} signal
   * @returns {Promise<Reply>}
   */
  async function json(route, parameters, signal) {
    return parsed(await request(route, parameters, signal), signal);
  }

  /**
   * @template {{schema: number}} Reply
   * @param {Response} response
   * @param {AbortSignal} signal
   * @returns {Promise<Reply>}
   */
  async function parsed(response, signal) {
    const reply = /** @type {Reply} */ (await body(response, signal));
    requireSchema(reply?.schema);
    return reply;
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<RunsReply>} All pages as one reply.
   */
  async function runs(signal) {
    const response = await request("runs", {}, signal);
    /** @type {RunsReply} */
    const whole = await parsed(response, signal);
    whole.stamp = stampOf(response);
    for (let page = whole; page.next_offset !== null; ) {
      page = await json("runs", { offset: page.next_offset }, signal);
      whole.runs.push(...page.runs);
      whole.pending += page.pending; // each page counts its own
    }
    return whole;
  }

  /**
   * @param {string} run
   * @param {AbortSignal} signal
   * @returns {Promise<LayersReply>} All pages as one reply.
   */
  async function layers(run, signal) {
    /** @type {LayersReply} */
    const whole = await json("layers", { run }, signal);
    const groups = new Map(whole.groups.map((group) => [group.group, group]));
    for (let page = whole; page.next_offset !== null; ) {
      page = await json("layers", { run, offset: page.next_offset }, signal);
      for (const group of page.groups) groups.get(group.group)?.rows.push(...group.rows);
    }
    return whole;
  }

  /**
   * @param {string} route
   * @param {Record<string, string | number>} parameters
   * @param {AbortSignal} signal
   * @returns {Promise<Heat>}
   */
  async function heat(route, parameters, signal) {
    const response = await request(route, { ...parameters, width: HEAT_WIDTH }, signal);
    try {
      const decoded = decodeHeat(await response.arrayBuffer());
      requireSchema(decoded.header.schema);
      return decoded;
    } catch (error) {
      if (signal.aborted || error instanceof ApiError) throw error;
      throw new ApiError(`The heat map could not be read: ${text(error)}.`, "damaged");
    }
  }

  /**
   * @param {string} run
   * @param {AbortSignal} signal
   * @returns {Promise<SeriesReply>}
   */
  const series = (run, signal) => json("series", { run, points: SERIES_POINTS }, signal);

  /**
   * Curves of several runs; one that cannot be read hides no other.
   *
   * @param {string[]} runs
   * @param {AbortSignal} signal
   * @returns {Promise<Overlay[]>}
   */
  const overlays = (runs, signal) =>
    Promise.all(
      runs.map(async (run) => {
        try {
          return { run, reply: await series(run, signal), error: null };
        } catch (error) {
          if (signal.aborted || !(error instanceof ApiError)) throw error;
          return { run, reply: null, error: error.message };
        }
      }),
    );

  return {
    runs,
    /**
     * What tells whether the list of runs has changed: a request that is answered with 304 if not.
     *
     * @param {AbortSignal} signal
     */
    async stamp(signal) {
      const response = await request("runs", {}, signal);
      // Read to its end: else the browser keeps no copy to ask about next time.
      await response.arrayBuffer();
      return stampOf(response);
    },
    /**
     * @param {import("../types.js").ScalarTag[]} asked
     * @param {AbortSignal} signal
     */
    candidates: (asked, signal) => fetchCandidates(fetcher, asked, signal),
    layers,
    series,
    overlays,
    /** @param {string} run @param {AbortSignal} signal @returns {Promise<FindingsReply>} */
    findings: (run, signal) => json("findings", { run }, signal),
    /**
     * @param {string} run
     * @param {string} group
     * @param {number} row
     * @param {AbortSignal} signal
     * @returns {Promise<LayerReply>}
     */
    layer: (run, group, row, signal) =>
      json("layer", { run, group, row, points: LAYER_POINTS }, signal),
    /**
     * @param {string} run
     * @param {string} group
     * @param {number} row
     * @param {AbortSignal} signal
     * @returns {Promise<HistogramReply>}
     */
    histogram: (run, group, row, signal) =>
      json("histogram", { run, group, row, width: HISTOGRAM_WIDTH }, signal),
    /**
     * @param {string} run
     * @param {string} group
     * @param {string} metric
     * @param {AbortSignal} signal
     * @returns {Promise<Heat>}
     */
    heatmap: (run, group, metric, signal) => heat("heatmap", { run, group, metric }, signal),
    /**
     * @param {string} run
     * @param {string} other
     * @param {AbortSignal} signal
     * @returns {Promise<CompareReply>}
     */
    compare: (run, other, signal) => json("compare", { run, with: other }, signal),
    /**
     * @param {string} run
     * @param {string} other
     * @param {string} group
     * @param {string} metric
     * @param {AbortSignal} signal
     * @returns {Promise<Heat>}
     */
    difference: (run, other, group, metric, signal) =>
      heat("difference", { run, with: other, group, metric }, signal),
    /**
     * @param {string} run
     * @returns {Promise<import("../experiments/types.js").Reply>}
     */
    experiments: (run) => json("experiments", { run }, NEVER),
    landscapes: {
      /**
       * @param {string} run
       * @returns {Promise<{schema: number, landscapes: import("../landscape/types.js").Listed[]}>}
       */
      list: (run) => json("landscapes", { run }, NEVER),
      /**
       * @param {string} run
       * @param {string} name
       * @returns {Promise<import("../landscape/types.js").Reply>}
       */
      fetchOne: (run, name) => json("landscape", { run, name }, NEVER),
    },
  };
}

/** @typedef {ReturnType<typeof createApi>} Api */

/** @param {Response} response */
function stampOf(response) {
  return response.headers?.get("ETag") ?? "";
}

/** @param {unknown} schema */
function requireSchema(schema) {
  if (schema === SCHEMA) return;
  throw new ApiError(
    "This page and TensorBoard run different versions of this plugin: TensorBoard answers with " +
      `version ${typeof schema === "number" ? schema : "unknown"} of the API, but the page supports ` +
      `version ${SCHEMA}. Reload the page.`,
    "schema",
  );
}

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 */
async function body(response, signal) {
  try {
    return await response.json();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ApiError("The server's reply could not be read.", "damaged");
  }
}

/** @param {Response} response */
async function refusal(response) {
  let message = "";
  try {
    const reply = await response.json();
    message = typeof reply?.error?.message === "string" ? reply.error.message : "";
  } catch {
    // Not our JSON: a proxy's page, or TensorBoard's own error.
  }
  return new ApiError(
    message || `The server answered ${response.status}.`,
    reasonOf(response.status),
  );
}

/**
 * @param {number} status
 * @returns {ApiError["reason"]}
 */
function reasonOf(status) {
  if (status === 404) return "missing";
  // A proxy answers so for a TensorBoard that does not answer it: that passes, too.
  if (status >= 502 && status <= 504) return "busy";
  return status < 500 ? "refused" : "server";
}

/** @param {unknown} error */
function text(error) {
  return error instanceof Error ? error.message : String(error);
}
