/**
 * The color scale cividis: perceptually uniform, and read alike with and without the common color
 * vision deficiencies (Nuñez, Anderton & Renslow 2018, doi:10.1371/journal.pone.0199239).
 */

/** Equidistant colors of the published table, `rrggbb`; linear in between (error < 6 of 255). */
const TABLE =
  "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f7073" +
  "7676767d7c788381798b8778928d789a9376a29975aaa073b3a670bbad6dc3b369ccba64d4c15fddc858e6d051" +
  "efd748f8df3cfee838";

/** From dark (low) to light (high). @type {import("./color_scale.js").Color[]} */
export const CIVIDIS = Array.from({ length: TABLE.length / 6 }, (_, stop) => {
  const channel = (/** @type {number} */ index) =>
    Number.parseInt(TABLE.slice(6 * stop + 2 * index, 6 * stop + 2 * index + 2), 16);
  return [channel(0), channel(1), channel(2)];
});
