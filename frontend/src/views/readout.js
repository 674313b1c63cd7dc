/**
 * The line beneath the heat map that reads the cell under the pointer or the keyboard's place. It is
 * announced only when the keyboard moves it: a pointer would flood a screen reader.
 *
 * @import { Hover } from "../charts/cursor.js"
 */

/** @typedef {{idle: string, hover: Hover}} ReadoutProps */

/** @returns {import("./mount.js").Component<ReadoutProps>} */
export function createReadout() {
  const element = document.createElement("p");
  element.className = "readout";
  element.dataset.testid = "heatmap-readout";
  element.setAttribute("aria-live", "off");
  /** @type {ReadoutProps | null} */
  let props = null;
  let speaking = false;
  let stopFollowing = () => {};
  return {
    element,
    update(next) {
      if (props?.hover !== next.hover) {
        stopFollowing();
        stopFollowing = next.hover.follow((said) => {
          speaking = said !== null;
          element.setAttribute("aria-live", said?.byKeyboard ? "polite" : "off");
          element.classList.toggle("active", speaking);
          element.textContent = said?.text ?? props?.idle ?? "";
        });
      }
      props = next;
      if (!speaking) element.textContent = next.idle;
    },
    destroy() {
      stopFollowing();
    },
  };
}
