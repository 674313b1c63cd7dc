/**
 * Follows TensorBoard's light and dark theme; on its own, the system's.
 *
 * @typedef {"light" | "dark"} Theme
 */

/**
 * @param {(theme: Theme) => void} changed Called at once and at every change.
 * @returns {() => void} Stops following.
 */
export function followTheme(changed) {
  const body = hostBody();
  if (body) {
    const tell = () => changed(body.classList.contains("dark-mode") ? "dark" : "light");
    const observer = new MutationObserver(tell);
    observer.observe(body, { attributes: true, attributeFilter: ["class"] });
    tell();
    return () => observer.disconnect();
  }
  const query = matchMedia("(prefers-color-scheme: dark)");
  const tell = () => changed(query.matches ? "dark" : "light");
  query.addEventListener("change", tell);
  tell();
  return () => query.removeEventListener("change", tell);
}

/** TensorBoard's own body; null when the page stands alone or in a foreign page. */
function hostBody() {
  try {
    return window.parent === window ? null : window.parent.document.body;
  } catch {
    return null;
  }
}
