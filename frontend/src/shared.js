/**
 * What the views in files of their own (build.mjs: VIEWS) share with the page. index.js exports it;
 * it is in there anyway.
 */
export { html, nothing, svg } from "lit-html";
export { Directive, directive, PartType } from "lit-html/directive.js";
export { linearTicks, logTicks } from "./charts/ranges.js";
export { fitCanvas, watchSize } from "./charts/size.js";
export { renderInto } from "./charts/template.js";
export { capital, middleEllipsis, visible } from "./format/names.js";
export { counted, formatNumber, formatPercent, formatTick } from "./format/numbers.js";
export { EXPERIMENT_TITLE, OUTCOMES, VERDICT_PATH, VERDICT_WORD } from "./format/severity.js";
export { formatStep } from "./format/steps.js";
