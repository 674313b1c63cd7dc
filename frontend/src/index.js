/**
 * Entry of the plugin: TensorBoard imports this module into the tab's iframe and calls `render`.
 */
import { startApp } from "./app.js";
import { createApi } from "./data/api.js";
import { borrowFonts } from "./host/fonts.js";

/** Draws the dashboard into the document. */
export async function render() {
  document.documentElement.lang = "en";
  document.title = "Convergence";
  borrowFonts();
  await loadStyles();
  const root = document.createElement("div");
  root.id = "convergence";
  document.body.append(root);
  startApp(root, (always) => createApi((input, init) => window.fetch(input, init), always));
}

/** Waits for the style sheet, so that nothing is measured or seen without it. */
function loadStyles() {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = `index.css?v=${STYLES_VERSION}`;
    link.addEventListener("load", resolve);
    // Without its styles the page is plain, but says the same.
    link.addEventListener("error", resolve);
    document.head.append(link);
  });
}
