/**
 * What the page does not need to open: fetched as one file when any of it is first asked for.
 */
export { parcel } from "./export/parcel.js";
export { comparePanel, pairNote } from "./views/compare.js";
