/**
 * One panel over the whole page. The browser's own full screen may be forbidden in a frame, so the
 * panel covers the frame; what is beneath takes no focus meanwhile.
 */

/**
 * @param {HTMLElement} root
 * @param {() => void} leave
 * @returns {(name: string | null) => void} Shows the panel of that name; null: none.
 */
export function createFullScreen(root, leave) {
  /** @type {HTMLElement | null} */
  let shown = null;
  /** @type {HTMLElement[]} */
  let beneath = [];
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !shown || event.defaultPrevented) return;
    event.preventDefault();
    leave();
  });
  return (name) => {
    const panel = /** @type {HTMLElement | null} */ (
      name === null ? null : root.querySelector(`[data-panel="${name}"]`)
    );
    if (panel === shown) return;
    const before = shown;
    before?.classList.remove("full");
    for (const element of beneath) element.inert = false;
    panel?.classList.add("full");
    beneath = panel ? around(panel, root) : [];
    for (const element of beneath) element.inert = true;
    shown = panel;
    focusOn(panel ?? before);
  };
}

/**
 * Everything on the page that is neither the panel nor holds it, and takes focus now. What is said to a
 * screen reader goes on being said.
 *
 * @param {HTMLElement} panel
 * @param {HTMLElement} root
 */
function around(panel, root) {
  const found = [];
  for (let at = panel; at !== root && at.parentElement; at = at.parentElement) {
    const siblings = /** @type {HTMLElement[]} */ ([...at.parentElement.children]);
    found.push(...siblings.filter((one) => one !== at && !one.ariaLive && !one.inert));
  }
  return found;
}

/** @param {HTMLElement | null} panel */
function focusOn(panel) {
  /** @type {HTMLElement | null | undefined} */ (panel?.querySelector("[data-full]"))?.focus();
}
