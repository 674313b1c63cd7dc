/**
 * What is on screen as a file: the record, the grid as a table, or the pictures.
 *
 * @import { Reply } from "./types.js"
 */
import { valueAt } from "./grid.js";

/**
 * @param {"png" | "csv" | "json"} format
 * @param {{side: string, run: string, reply: Reply}[]} shown
 * @param {HTMLElement} root
 * @returns {Promise<{name: string, blob: Blob} | null>}
 */
export async function parcelOf(format, shown, root) {
  if (!shown.length) return null;
  const runs = shown.map(({ run }) => run.replace(/[^\w.-]+/g, "-").slice(0, 60)).join("-vs-");
  const name = `landscape-${runs}.${format}`;
  if (format === "json") {
    const text = JSON.stringify(
      shown.map(({ run, reply }) => ({ run, step: reply.step, landscape: reply.landscape })),
      null,
      1,
    );
    return { name, blob: new Blob([text], { type: "application/json" }) };
  }
  if (format === "csv") {
    return { name, blob: new Blob([table(shown)], { type: "text/csv" }) };
  }
  const blob = await picture(root);
  return blob && { name, blob };
}

/**
 * One line for each point of each plane.
 *
 * @param {{run: string, reply: Reply}[]} shown
 */
export function table(shown) {
  const quantities = [
    ...new Set(shown.flatMap(({ reply }) => Object.keys(reply.landscape.planes[0].values))),
  ];
  const lines = [["run", "landscape", "pair", "x", "y", ...quantities].map(cell).join(",")];
  for (const { run, reply } of shown) {
    reply.landscape.planes.forEach((plane, pair) => {
      plane.x.forEach((x, i) => {
        (plane.y ?? [0]).forEach((y, j) => {
          const values = quantities.map((name) => valueAt(plane, { i, j }, name) ?? "");
          const start = [run, reply.landscape.name, pair, x, plane.y ? y : ""];
          lines.push([...start, ...values].map(cell).join(","));
        });
      });
    });
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {string | number} value */
function cell(value) {
  if (typeof value === "number") return String(value);
  // A spreadsheet takes text that begins so for a formula.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * All canvases on screen beside each other.
 *
 * @param {HTMLElement} root
 * @returns {Promise<Blob | null>}
 */
function picture(root) {
  const canvases = [...root.querySelectorAll("canvas")].filter((one) => one.width && one.height);
  if (!canvases.length) return Promise.resolve(null);
  const sheet = document.createElement("canvas");
  const gap = 16;
  sheet.width = canvases.reduce((sum, one) => sum + one.width + gap, gap);
  sheet.height = Math.max(...canvases.map((one) => one.height)) + 2 * gap;
  const context = sheet.getContext("2d");
  if (!context) return Promise.resolve(null);
  context.fillStyle = getComputedStyle(root).getPropertyValue("--card") || "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  let left = gap;
  for (const one of canvases) {
    context.drawImage(one, left, gap);
    left += one.width + gap;
  }
  return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
}
