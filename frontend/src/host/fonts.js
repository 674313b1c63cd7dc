/**
 * Borrows TensorBoard's own typeface, so that the tab looks like its neighbors. Its files lie on
 * the same server; elsewhere the system's typeface stands in.
 */

const FAMILY = "Roboto";
/** Weights that the style sheet and the charts ask for, each with letters of the files it needs. */
const NEEDED = /** @type {const} */ ([
  [400, "aΔ"],
  [500, "a"],
  [600, "a"],
]);

/**
 * Declares the host page's faces here. Those that every page needs are loaded at once (text set
 * anew while the page opens holds up what comes next), others when a character needs them.
 */
export function borrowFonts() {
  try {
    const host = window.parent;
    if (host === window) return;
    for (const sheet of host.document.styleSheets) {
      for (const rule of rulesOf(sheet)) declare(rule, host.document.baseURI);
    }
    for (const [weight, letters] of NEEDED) {
      // A file that cannot be had: the system's typeface goes on standing in.
      document.fonts.load(`${weight} 1em ${FAMILY}`, letters).catch(() => {});
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
