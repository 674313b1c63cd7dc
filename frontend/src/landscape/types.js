/**
 * The record of a loss landscape (docs/landscape.md), and what the view keeps of it.
 *
 * @typedef {{mean: number | null, deviation: number | null, values: (number | null)[]}} Spread
 *
 * @typedef {object} Path
 * @property {number[]} steps
 * @property {number[]} x
 * @property {number[]} y
 * @property {(number | null)[]} loss  At the path's own weights.
 * @property {boolean} exact
 *
 * @typedef {object} Plane
 * @property {number} seed
 * @property {string[]} labels
 * @property {(number | null)[]} explained
 * @property {number[]} x
 * @property {number[] | null} y  null for a line.
 * @property {Record<string, (number | null)[]>} values  Row by row: at `x[i], y[j]` is `[i * y.length + j]`.
 * @property {number} evaluated
 * @property {Record<string, number | null>} statistics
 * @property {Path | null} path
 *
 * @typedef {object} Sharpness
 * @property {Spread} largest
 * @property {Spread} smallest
 * @property {number | null} limit
 * @property {number | null} rate
 * @property {string} verdict
 * @property {string} text
 * @property {number} samples
 *
 * @typedef {object} Landscape
 * @property {string} name
 * @property {string} model
 * @property {string} loss
 * @property {string} directions
 * @property {string} unit
 * @property {string} batch_norm
 * @property {number} samples
 * @property {number} evaluations
 * @property {number} grid_points
 * @property {number | null} level
 * @property {string} level_reason
 * @property {number | null} end_loss
 * @property {number | null} seconds
 * @property {boolean} [complete]
 * @property {string[]} notes
 * @property {Plane[]} planes
 * @property {Record<string, Spread>} statistics
 * @property {Sharpness | null} sharpness
 *
 * @typedef {object} Reply
 * @property {number} schema
 * @property {string} run
 * @property {number} step
 * @property {Record<string, {title: string, share: boolean}>} titles
 * @property {Landscape} landscape
 *
 * @typedef {{name: string, directions: string, planes: number, dimensions: number}} Listed
 *
 * @typedef {{yaw: number, pitch: number, zoom: number}} Turn
 * @typedef {{i: number, j: number}} Place  A point of the grid.
 */
export {};
