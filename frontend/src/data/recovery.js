/**
 * Tries again by itself what failed for a reason that passes: TensorBoard does not answer, or is too
 * busy to. While it does not answer, one slot asks on behalf of all; when that gets a reply, the
 * page is brought up to date.
 *
 * @import { Slot } from "./loader.js"
 */

const FIRST_MILLISECONDS = 2_000;
const LONGEST_MILLISECONDS = 30_000;
/** The slot that asks whether TensorBoard is back. */
const PROBE = "runs";

/**
 * @param {(name: string) => void} retry  Fetches one slot again, leaving on screen what is there.
 * @param {() => void} returned  TensorBoard answers again.
 * @param {(action: () => void, milliseconds: number) => unknown} [later]
 */
export function createRecovery(retry, returned, later = setTimeout) {
  let away = false;
  /** @type {Map<string, number>} */
  const delays = new Map();
  /** @type {Set<string>} */
  const waiting = new Set();

  /** @param {string} name */
  function schedule(name) {
    if (waiting.has(name)) return;
    const delay = delays.get(name) ?? FIRST_MILLISECONDS;
    delays.set(name, Math.min(2 * delay, LONGEST_MILLISECONDS));
    waiting.add(name);
    later(() => {
      // Refreshed meanwhile, by hand or by TensorBoard.
      if (waiting.delete(name)) retry(name);
    }, delay);
  }

  return {
    /**
     * To be told about every change of a slot.
     *
     * @param {string} name
     * @param {Slot<any>} slot
     */
    told(name, { status, error }) {
      if (status === "error" && error?.reason === "network") {
        away = true;
        schedule(PROBE);
      } else if (status === "error" && error?.reason === "busy") {
        schedule(name);
      } else if (status === "ready") {
        delays.delete(name);
        waiting.delete(name);
        if (name === PROBE && away) {
          away = false;
          returned();
        }
      }
    },
  };
}
