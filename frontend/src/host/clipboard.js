/**
 * Copies text. Over plain HTTP from another machine there is no clipboard interface: then the old
 * copy command is tried. Where that is refused too, the text is selected: a person copies it.
 *
 * @param {string} text
 * @param {HTMLElement} button In the section, or beside the `code`, that shows the text.
 * @returns {Promise<boolean>} Whether it was copied.
 */
export async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    acknowledge(button);
    return true;
  } catch {
    if (copySelected(text, button)) {
      acknowledge(button);
      return true;
    }
    const beside = button.parentElement?.querySelector("code");
    const shown = beside ?? button.closest("section")?.querySelector("pre");
    if (shown) window.getSelection()?.selectAllChildren(shown);
    return false;
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} button Has the focus afterward, as before.
 */
function copySelected(text, button) {
  const field = document.createElement("textarea");
  field.className = "hidden-label";
  field.value = text;
  button.after(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  button.focus();
  return copied;
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
