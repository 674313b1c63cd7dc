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

/**
 * A name is two boxes, its head and its end; a browser copies a line break between them. Without it,
 * a name can be pasted into a terminal.
 *
 * @param {HTMLElement} root
 */
export function copyNamesWhole(root) {
  root.addEventListener("copy", (event) => {
    const selection = window.getSelection();
    if (!selection || !event.clipboardData) return;
    const before = selection.toString();
    let text = before;
    for (const name of root.querySelectorAll(".name")) {
      if (!selection.containsNode(name, true)) continue;
      const [head, tail] = [...name.children].map((part) => part.textContent ?? "");
      if (head && tail) text = text.replaceAll(`${head}\n${tail}`, head + tail);
    }
    if (text === before) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
}

/** @param {HTMLElement} button */
function acknowledge(button) {
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
}
