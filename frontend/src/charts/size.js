/**
 * Watches an element's size. A hidden tab has height 0: nothing is drawn until it is shown.
 *
 * @param {HTMLElement} element
 * @param {(width: number, height: number) => void} changed Only with both above 0.
 * @returns {() => void} Stops watching.
 */
export function watchSize(element, changed) {
  let [width, height] = [0, 0];
  const observer = new ResizeObserver(() => {
    const [w, h] = [element.clientWidth, element.clientHeight];
    if (w === 0 || h === 0 || (w === width && h === height)) return;
    [width, height] = [w, h];
    changed(w, h);
  });
  observer.observe(element);
  return () => observer.disconnect();
}
