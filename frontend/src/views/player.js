/**
 * A slider over steps that can play. It keeps its own clock; each frame selects a step, and every
 * view follows.
 */
import { html, render } from "lit-html";
import { sign } from "./icon.js";

/**
 * @typedef {object} PlayerProps
 * @property {number} cell
 * @property {number} cells
 * @property {string} text  The steps of `cell`.
 * @property {(cell: number) => void} onMove
 */

/** Milliseconds between frames at a speed of one, and how many frames a whole run takes at most. */
const FRAME = 100;
const FRAMES = 120;
/** Who asked for reduced motion gets a few still pictures instead of a film. */
const CALM_FRAME = 1200;
const CALM_FRAMES = 12;

const SPEEDS = [0.5, 1, 2, 4];

/**
 * The cell of the next frame; -1 at the end.
 *
 * @param {number} cell
 * @param {number} cells
 * @param {number} frames How many a whole run takes at most.
 */
export function nextCell(cell, cells, frames) {
  if (cell >= cells - 1) return -1;
  return Math.min(cells - 1, cell + Math.max(1, Math.ceil(cells / frames)));
}

/** @returns {import("./mount.js").Component<PlayerProps>} */
export function createPlayer() {
  const element = document.createElement("div");
  element.className = "player";
  /** @type {PlayerProps | null} */
  let props = null;
  let timer = 0;
  let speed = 1;

  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  function stop() {
    clearInterval(timer);
    timer = 0;
    draw();
  }

  function frame() {
    if (!props) return;
    // A hidden tab must not run on unseen.
    if (document.hidden || element.clientWidth === 0) return stop();
    const next = nextCell(props.cell, props.cells, calm() ? CALM_FRAMES : FRAMES);
    if (next < 0) return stop();
    props.onMove(next);
  }

  function start() {
    if (!props) return;
    clearInterval(timer);
    timer = window.setInterval(frame, (calm() ? CALM_FRAME : FRAME) / speed);
    if (props.cell >= props.cells - 1) props.onMove(0);
    draw();
  }

  function draw() {
    if (!props) return;
    const { cell, cells, text, onMove } = props;
    const name = timer ? "Pause" : "Play";
    render(
      html`<button type="button" class="button square" aria-label="${name} through the steps" title=${name}
          data-testid="play" aria-pressed=${timer ? "true" : "false"} ?disabled=${cells < 2}
          @click=${() => (timer ? stop() : start())}>${sign(timer ? "pause" : "play")}</button>
        <label class="field grow"><span class="hidden-label">Step</span>
          <input type="range" min="0" max=${Math.max(0, cells - 1)} step="1" .value=${String(cell)} data-testid="step"
            aria-valuetext=${text}
            @input=${(/** @type {Event} */ event) => {
              if (timer) stop();
              onMove(Number(/** @type {HTMLInputElement} */ (event.target).value));
            }} /></label>
        <output>${text}</output>
        <label class="field"><span class="hidden-label">Speed</span>
          <select @change=${(/** @type {Event} */ event) => {
            speed = Number(/** @type {HTMLSelectElement} */ (event.target).value);
            if (timer) start();
          }}>${SPEEDS.map((one) => html`<option value=${one} .selected=${one === speed}>${one}×</option>`)}</select></label>`,
      element,
    );
  }

  return {
    element,
    update(next) {
      props = next;
      draw();
    },
    destroy() {
      clearInterval(timer);
    },
  };
}
