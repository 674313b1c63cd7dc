/**
 * Hears when TensorBoard has read new data, over its MessageChannel protocol: messages are JSON
 * `{type, id, payload, error, isReply}`, and every message wants a reply.
 */

const BOOTSTRAP = "experimental.bootstrap";
const RELOADED = new Set(["experimental.DataReloaded", "experimental.RunsChanged"]);

const GET_RUNS = "experimental.GetRuns";

/**
 * @param {() => void} reloaded
 * @param {(names: string[]) => void} [listed] Told the names of TensorBoard's runs, in its own order:
 *   by their place in it runs have their colors there.
 * @returns {() => void} Stops listening.
 */
export function onReload(reloaded, listed = () => {}) {
  try {
    if (window.parent === window) return () => {};
    const channel = new MessageChannel();
    let id = 0;
    const ask = () => {
      id += 1;
      const request = { type: GET_RUNS, id, payload: null, error: null, isReply: false };
      channel.port1.postMessage(JSON.stringify(request));
    };
    channel.port1.onmessage = (event) => {
      const message = parse(event.data);
      if (message?.isReply) {
        const { payload } = message;
        const names = Array.isArray(payload) && payload.every((name) => typeof name === "string");
        if (names) listed(/** @type {string[]} */ (payload));
        return;
      }
      if (!message) return;
      channel.port1.postMessage(
        JSON.stringify({ ...message, payload: null, error: null, isReply: true }),
      );
      if (!RELOADED.has(message.type)) return;
      ask();
      reloaded();
    };
    window.parent.postMessage(BOOTSTRAP, "*", [channel.port2]);
    ask();
    return () => channel.port1.close();
  } catch {
    // A foreign host: the page works, it only does not refresh by itself.
    return () => {};
  }
}

/**
 * @param {unknown} data
 * @returns {{type: string, id: number, isReply: boolean, payload: unknown} | null}
 */
function parse(data) {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
