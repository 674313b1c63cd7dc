/**
 * Entry of the plugin: TensorBoard imports this module into the tab's iframe and calls `render`.
 */
import { startApp } from "./app.js";
import { createApi } from "./data/api.js";
import { borrowFonts } from "./host/fonts.js";
import { loadStyles } from "./host/styles.js";

export * from "./shared.js";

/** Draws the dashboard into the document. */
export async function render() {
  document.documentElement.lang = "en";
  document.title = "Convergence";
  borrowFonts();
  await loadStyles("index.css");
  const root = document.createElement("div");
  root.id = "convergence";
  document.body.append(root);
  startApp(root, (always) => createApi((input, init) => window.fetch(input, init), always));
}
