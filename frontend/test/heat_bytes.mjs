/** Writes heat maps as docs/http_api.md says, for tests; shares no code with the page. */

/**
 * @param {object} map
 * @param {number[][]} map.values
 * @param {number[][]} [map.codes]
 * @param {(number | string)[]} [map.first]
 * @param {(number | string)[]} [map.last]
 * @param {object} [map.header] Overrides.
 * @returns {ArrayBuffer}
 */
export function heatBytes({ values, codes, first, last, header = {} }) {
  const rows = values.length;
  const cells = values[0]?.length ?? 0;
  const flat = values.flat();
  const marks = (codes ?? values.map((row) => row.map(() => 0))).flat();
  const finite = flat.filter((_value, index) => marks[index] === 0);
  const text = JSON.stringify({
    schema: 1,
    run: "r",
    group: "variables",
    metric: "gradient_norm",
    rows,
    cells,
    first_steps: first ?? Array.from({ length: cells }, (_, index) => index * 10),
    last_steps: last ?? Array.from({ length: cells }, (_, index) => index * 10),
    minimum: finite.length ? finite.reduce((a, b) => Math.min(a, b)) : null,
    maximum: finite.length ? finite.reduce((a, b) => Math.max(a, b)) : null,
    ...header,
  });
  const json = Buffer.from(text, "utf8");
  const start = Math.ceil((4 + json.length) / 4) * 4;
  const bytes = Buffer.alloc(start + flat.length * 5);
  bytes.writeUInt32LE(json.length, 0);
  json.copy(bytes, 4);
  for (const [index, value] of flat.entries()) bytes.writeFloatLE(value, start + 4 * index);
  for (const [index, code] of marks.entries()) bytes[start + 4 * flat.length + index] = code;
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}
