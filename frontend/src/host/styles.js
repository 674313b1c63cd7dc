/** Style sheets of the page, which lie beside its code. */

/**
 * Resolved when a sheet is there, so that nothing is measured or seen without it; also when it cannot
 * be had: without its styles the page is plain, but says the same.
 *
 * @param {string} name
 * @returns {Promise<void>}
 */
export function loadStyles(name) {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = `${name}?v=${STYLES_VERSION}`;
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () => resolve());
    document.head.append(link);
  });
}
