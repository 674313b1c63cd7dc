/**
 * Borrows TensorBoard's own typeface, so that the tab looks like its neighbours. Its files lie on
 * the same server; elsewhere the system's typeface stands in.
 */

const FAMILY = "Roboto";

/** Declares the host page's faces here; each is loaded only when a character needs it. */
export function borrowFonts() {
  try {
    const host = window.parent;
    if (host === window) return;
    for (const sheet of host.document.styleSheets) {
      for (const rule of rulesOf(sheet)) declare(rule, host.document.baseURI);
    }
  } catch {
    // A foreign host keeps its style sheets to itself.
  }
}

/** @param {CSSStyleSheet} sheet */
function rulesOf(sheet) {
  try {
    return [...sheet.cssRules];
  } catch {
    return [];
  }
}

/**
 * @param {CSSRule} rule Of another window: `instanceof` would not know it.
 * @param {string} base
 */
function declare(rule, base) {
  if (rule.constructor.name !== "CSSFontFaceRule") return;
  const { style } = /** @type {CSSFontFaceRule} */ (rule);
  const value = (/** @type {string} */ name) => style.getPropertyValue(name);
  if (value("font-family").replaceAll(/["']/g, "") !== FAMILY) return;
  const file = /url\(["']?([^"')]+)["']?\)/.exec(value("src"))?.[1];
  if (!file) return;
  // TensorBoard names its files from the root of the server, also where it stands below a path.
  const { href } = new URL(file.replace(/^\//, ""), base);
  document.fonts.add(
    new FontFace(FAMILY, `url("${href}")`, {
      style: value("font-style") || "normal",
      weight: value("font-weight") || "normal",
      unicodeRange: value("unicode-range") || "U+0-10FFFF",
    }),
  );
}
