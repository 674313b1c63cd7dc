/**
 * Keys that work anywhere on the page. Single characters get in the way of speech input, so they can
 * be switched off; the choice is kept in this browser.
 */

/** TensorBoard's own settings lie in the same storage. */
const STORED = "tb_convergence.shortcuts";

/** Where text is typed, or a letter chooses among options. */
const TYPED = "input:not([type=radio], [type=checkbox], [type=range]), select, textarea, dialog *";

/** Places to go to by a key: the first of these that is there gets the focus. */
const PLACES = new Map([
  ["r", ['.chip[aria-pressed="true"]', ".chip"]],
  ["f", ['.finding[aria-current="true"]', ".finding"]],
  ["c", [".time .line-chart"]],
  ["m", ['[data-testid="heatmap"]']],
  ["l", ['.layer [role="tab"][aria-selected="true"]', ".layer button"]],
  ["/", [".map .search input"]],
]);

/** @returns {boolean} */
export function shortcutsAreOn() {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

/** @param {boolean} on */
export function switchShortcuts(on) {
  try {
    if (on) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, "off");
  } catch {
    // A browser that stores nothing: they stay as they are.
  }
}

/**
 * @param {HTMLElement} root
 * @param {{nextFinding: (by: number) => void, nextRun: (by: number) => void, showHelp: () => void}} handlers
 */
export function listenToShortcuts(root, handlers) {
  /** @type {Record<string, () => void>} */
  const actions = {
    "?": handlers.showHelp,
    j: () => handlers.nextFinding(1),
    k: () => handlers.nextFinding(-1),
    "]": () => handlers.nextRun(1),
    "[": () => handlers.nextRun(-1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = /** @type {Element | null} */ (event.target);
    if (at?.matches(TYPED) || !shortcutsAreOn()) return;
    const action = actions[event.key] ?? placeAction(root, event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/**
 * @param {HTMLElement} root
 * @param {string} key
 */
function placeAction(root, key) {
  const selectors = PLACES.get(key);
  if (!selectors) return null;
  for (const selector of selectors) {
    const found = /** @type {HTMLElement | null} */ (root.querySelector(selector));
    if (found) {
      return () => {
        found.focus({ preventScroll: true });
        found.scrollIntoView({ block: "nearest" });
      };
    }
  }
  return null;
}

/** The dialog that lists the keys: `views/help.js`. */
export function openHelp() {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("help"));
  if (dialog && !dialog.open) dialog.showModal();
}

/**
 * Brings a place into view; the keyboard stays where it is, so that one may go on from there.
 *
 * @param {string} key  As in `PLACES`.
 */
export function toPlace(key) {
  for (const selector of PLACES.get(key) ?? []) {
    const found = document.querySelector(selector);
    if (found) return found.scrollIntoView({ block: "nearest" });
  }
}
