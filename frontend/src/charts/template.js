/**
 * lit-html's `render` by a name of its own: index.js exports another `render`, TensorBoard's entry, and
 * views in files of their own take this one from there.
 */
export { render as renderInto } from "lit-html";
