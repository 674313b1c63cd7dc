/**
 * Copies text. Over plain HTTP from another machine there is no clipboard interface: then the text
 * is selected, and the old copy command is tried.
 *
 * @param {string} text
 * @param {HTMLElement} button Beside the `code` that shows the text.
 * @returns {Promise<boolean>} Whether it was copied.
 */
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    acknowledge(button);
    return true;
  } catch {
    const code = button.parentElement?.querySelector("code");
    if (!code) return false;
    window.getSelection()?.selectAllChildren(code);
    const copied = document.execCommand("copy");
    if (copied) acknowledge(button);
    return copied;
  }
}

/** @param {HTMLElement} button */
function acknowledge(button) {
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}
