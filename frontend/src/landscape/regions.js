/**
 * Where a grid of values is at or above a level, cell by cell (marching squares): what to fill, and
 * the lines where that begins. Numbers only.
 *
 * @typedef {[number, number]} Point  In grid units: 0 to N - 1 along both directions.
 *
 * @typedef {object} Region
 * @property {Point[][]} areas  Polygons that do not overlap; together they are the region.
 * @property {[Point, Point][]} lines  Pieces of its edge within the grid.
 */

/**
 * @param {number[]} values  `[m * n]`, finite: row j, column i at `j * n + i`.
 * @param {number} n
 * @param {number} level
 * @returns {Region}
 */
export function regionOf(values, n, level) {
  /** @type {Region} */
  const region = { areas: [], lines: [] };
  for (let j = 0; j < values.length / n - 1; j += 1) {
    /** Where a stretch of cells that are inside as a whole began; they are one area. */
    let from = -1;
    for (let i = 0; i < n - 1; i += 1) {
      const at = j * n + i;
      const corners = [values[at], values[at + 1], values[at + n + 1], values[at + n]];
      const inside = corners.every((value) => value >= level);
      if (inside && from < 0) from = i;
      if (from >= 0 && !(inside && i < n - 2)) {
        region.areas.push(box(from, j, inside ? i + 1 : i));
        from = -1;
      }
      if (!inside) cutCell(region, i, j, corners, level);
    }
  }
  return region;
}

/**
 * @param {number} left
 * @param {number} j
 * @param {number} right
 * @returns {Point[]}
 */
function box(left, j, right) {
  return [
    [left, j],
    [right, j],
    [right, j + 1],
    [left, j + 1],
  ];
}

/**
 * The part of one cell that is at or above the level: around it, corner by corner.
 *
 * @param {Region} region
 * @param {number} i
 * @param {number} j
 * @param {number[]} corners
 * @param {number} level
 */
function cutCell({ areas, lines }, i, j, corners, level) {
  const places = box(i, j, i + 1);
  /** @type {Point[]} */
  const area = [];
  /** @type {Point[]} */
  const cuts = [];
  corners.forEach((value, at) => {
    const next = (at + 1) % 4;
    if (value >= level) area.push(places[at]);
    if (value >= level === corners[next] >= level) return;
    const part = (level - value) / (corners[next] - value);
    const [[a, b], [c, d]] = [places[at], places[next]];
    const cut = /** @type {Point} */ ([a + part * (c - a), b + part * (d - b)]);
    area.push(cut);
    cuts.push(cut);
  });
  if (area.length > 2) areas.push(area);
  // The edge goes from where the walk leaves the region to where it comes back.
  if (corners[0] < level) cuts.push(...cuts.splice(0, 1));
  for (let at = 0; at + 1 < cuts.length; at += 2) lines.push([cuts[at], cuts[at + 1]]);
}
