/**
 * Watches an element's size. The frame of a hidden tab has height 0 (what is in it keeps its size):
 * nothing is drawn until it is shown.
 *
 * @param {HTMLElement} element
 * @param {(width: number, height: number) => void} changed Only with both above 0.
 * @returns {{look: () => void, stop: () => void}} `look` does not wait until the browser tells.
 */
export function watchSize(element, changed) {
  let [width, height] = [0, 0];
  const look = () => {
    const [w, h] = [element.clientWidth, element.clientHeight];
    if (w === 0 || h === 0 || window.innerHeight === 0 || (w === width && h === height)) return;
    [width, height] = [w, h];
    changed(w, h);
  };
  const observer = new ResizeObserver(look);
  observer.observe(element);
  // The frame is shown again: what changed its size meanwhile does not change it now.
  window.addEventListener("resize", look);
  return {
    look,
    stop() {
      observer.disconnect();
      window.removeEventListener("resize", look);
    },
  };
}

/**
 * Sizes a canvas to its element in device pixels and clears it; the context then counts CSS pixels.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} element
 */
export function fitCanvas(canvas, element) {
  const ratio = devicePixelRatio;
  const [width, height] = [element.clientWidth, element.clientHeight];
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(ratio, 0, 0, ratio, 0, 0);
  context?.clearRect(0, 0, width, height);
  return context;
}
