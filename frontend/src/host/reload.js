/**
 * Hears when TensorBoard has read new data, over its MessageChannel protocol: messages are JSON
 * `{type, id, payload, error, isReply}`, and every message wants a reply.
 */

const BOOTSTRAP = "experimental.bootstrap";
const RELOADED = new Set(["experimental.DataReloaded", "experimental.RunsChanged"]);

/**
 * @param {() => void} reloaded
 * @returns {() => void} Stops listening.
 */
export function onReload(reloaded) {
  try {
    if (window.parent === window) return () => {};
    const channel = new MessageChannel();
    channel.port1.onmessage = (event) => {
      const message = parse(event.data);
      if (!message || message.isReply) return;
      channel.port1.postMessage(
        JSON.stringify({ ...message, payload: null, error: null, isReply: true }),
      );
      if (RELOADED.has(message.type)) reloaded();
    };
    window.parent.postMessage(BOOTSTRAP, "*", [channel.port2]);
    return () => channel.port1.close();
  } catch {
    // A foreign host: the page works, it only does not refresh by itself.
    return () => {};
  }
}

/**
 * @param {unknown} data
 * @returns {{type: string, id: number, isReply: boolean} | null}
 */
function parse(data) {
  try {
    const message = JSON.parse(String(data));
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
