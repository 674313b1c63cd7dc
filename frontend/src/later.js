/**
 * What the page does not need to open: fetched as one file when any of it is first asked for.
 */
export { exportFile } from "./export/export_file.js";
export { createDetailModel } from "./model/detail.js";
export { createDifferenceModel } from "./model/difference.js";
export { askPanel } from "./views/ask.js";
export { beforeFinding } from "./views/before.js";
export { comparePanel, pairNote } from "./views/compare.js";
export { findingsOverTime } from "./views/findings_over_time.js";
export { goneList } from "./views/gone.js";
export { helpDialog } from "./views/help.js";
export { layerPanel } from "./views/layer_panel.js";
export { besideRow } from "./views/map_choice.js";
export { runNote } from "./views/note.js";
export { lossPicker } from "./views/picker.js";
export { pins } from "./views/pins.js";
export { remedySection } from "./views/remedy.js";
export { runsTable } from "./views/runs_table.js";
export { openChecks, verdictCard } from "./views/verdict_card.js";
export { worstTable } from "./views/worst.js";
