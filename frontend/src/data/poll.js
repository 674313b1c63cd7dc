/**
 * Asks by itself whether there is something new: one small request, answered with 304 while nothing
 * has changed. TensorBoard's own switch for reloading, off by default, is about its own charts.
 */

/** While a run is written to; while none is; when nobody sees the page. Milliseconds. */
const OFTEN = 10_000;
const SELDOM = 30_000;
const UNSEEN = 60_000;

/**
 * @param {object} around
 * @param {() => Promise<string>} around.stamp  Of what the server has now.
 * @param {() => string} around.known  Of what the page shows; "" while it shows nothing.
 * @param {() => "often" | "seldom" | "unseen" | "never"} around.pace
 * @param {(changed: boolean) => void} around.answered
 * @param {(error: unknown) => void} around.failed
 * @param {(action: () => void, milliseconds: number) => unknown} [later]
 */
export function startPoll({ stamp, known, pace, answered, failed }, later = setTimeout) {
  async function ask() {
    try {
      if (pace() !== "never" && known() !== "") {
        const found = await stamp();
        answered(known() !== "" && found !== known());
      }
    } catch (error) {
      failed(error);
    }
    next();
  }

  function next() {
    const rate = pace();
    later(ask, rate === "often" ? OFTEN : rate === "unseen" ? UNSEEN : SELDOM);
  }
  next();
}
