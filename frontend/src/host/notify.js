/**
 * Messages of the browser, for news while nobody looks. Only after a person has asked for them.
 */

const KEY = "tb_convergence.notify";

/** @returns {boolean | null} Whether they are on; null where the browser has none. */
export function notifies() {
  try {
    if (!("Notification" in window) || Notification.permission === "denied") return null;
    return Notification.permission === "granted" && localStorage.getItem(KEY) === "1";
  } catch {
    return null;
  }
}

/**
 * @param {boolean} on
 * @returns {Promise<boolean>} Whether they are on now.
 */
export async function switchNotifications(on) {
  try {
    const granted = on && (await Notification.requestPermission()) === "granted";
    localStorage.setItem(KEY, granted ? "1" : "0");
    return granted;
  } catch {
    return false;
  }
}

/**
 * @param {string} title
 * @param {string} body
 */
export function notify(title, body) {
  try {
    // One message of ours at a time: the newest.
    if (notifies()) new Notification(title, { body, tag: "tb_convergence" });
  } catch {
    // Some browsers show them only from a service worker: then there is the banner.
  }
}
