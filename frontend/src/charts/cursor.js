/**
 * Signals that change with every movement of the pointer. They are no part of the page's state:
 * only overlays and read-outs follow them.
 *
 * @typedef {{step: number, source: object}} CursorPlace
 * @typedef {{text: string, byKeyboard: boolean}} Said
 */

/**
 * @template T
 * @typedef {object} Signal
 * @property {(value: T | null) => void} move  null: the pointer left.
 * @property {(follower: (value: T | null) => void) => () => void} follow  Gives what stops it.
 */

/**
 * @template T
 * @returns {Signal<T>}
 */
export function createSignal() {
  /** @type {Set<(value: T | null) => void>} */
  const followers = new Set();
  /** @type {T | null} */
  let current = null;
  return {
    move(value) {
      if (value === null && current === null) return;
      current = value;
      for (const follower of followers) follower(current);
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

/** @typedef {Signal<CursorPlace>} Cursor  Where on the time axis the pointer is. */
/** @typedef {Signal<Said>} Hover  What the heat map says of the cell under it. */
