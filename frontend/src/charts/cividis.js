/**
 * The colour scale cividis: perceptually uniform, and read alike with and without the common colour
 * vision deficiencies (Nuñez, Anderton & Renslow 2018, doi:10.1371/journal.pone.0199239).
 */

/** 33 equidistant colours of the published table, `rrggbb`; linear in between (error < 6 of 255). */
const STOPS =
  "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f7073" +
  "7676767d7c788381798b8778928d789a9376a29975aaa073b3a670bbad6dc3b369ccba64d4c15fddc858e6d051" +
  "efd748f8df3cfee838";

const LAST = STOPS.length / 6 - 1;

/**
 * @param {number} position 0 (dark, low) to 1 (light, high); clamped.
 * @returns {[number, number, number]} Red, green, blue; 0 to 255.
 */
export function cividis(position) {
  const place = Math.min(1, Math.max(0, position)) * LAST;
  const stop = Math.min(LAST - 1, Math.floor(place));
  const part = place - stop;
  const channel = (/** @type {number} */ index) => {
    const low = Number.parseInt(STOPS.slice(stop * 6 + index * 2, stop * 6 + index * 2 + 2), 16);
    const at = stop * 6 + 6 + index * 2;
    const high = Number.parseInt(STOPS.slice(at, at + 2), 16);
    return Math.round(low + (high - low) * part);
  };
  return [channel(0), channel(1), channel(2)];
}
