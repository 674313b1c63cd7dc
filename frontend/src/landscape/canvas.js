/**
 * Elements of the view that draw themselves: a canvas keeps its size, and says where it is pointed.
 */
import { Directive, directive, PartType } from "lit-html/directive.js";
import { fitCanvas, watchSize } from "../charts/size.js";

/**
 * @typedef {object} Drawing
 * @property {(context: CanvasRenderingContext2D, width: number, height: number) => void} draw
 */

/** Draws into a canvas whenever the template is rendered, and when its size changes. */
class Painted extends Directive {
  /** @param {import("lit-html/directive.js").PartInfo} part */
  constructor(part) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error("painted() belongs on a canvas");
    /** @type {HTMLCanvasElement | null} */
    this.canvas = null;
    /** @type {Drawing | null} */
    this.drawing = null;
  }

  /**
   * @param {import("lit-html/directive.js").ElementPart} part
   * @param {[Drawing]} drawings
   */
  update(part, [drawing]) {
    this.drawing = drawing;
    if (this.canvas !== part.element) {
      this.canvas = /** @type {HTMLCanvasElement} */ (part.element);
      const paint = () => this.paint();
      // Sizes are known once the element is in the page.
      requestAnimationFrame(() => this.canvas && watchSize(this.canvas, paint));
    } else this.paint();
  }

  render(/** @type {Drawing} */ _) {}

  paint() {
    const { canvas, drawing } = this;
    if (!canvas || !drawing || canvas.clientWidth === 0 || canvas.clientHeight === 0) return;
    const context = fitCanvas(canvas, canvas);
    if (context) drawing.draw(context, canvas.clientWidth, canvas.clientHeight);
  }
}

export const painted = directive(Painted);
