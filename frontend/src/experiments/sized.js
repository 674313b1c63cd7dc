/**
 * A drawing that needs to know how wide its place is.
 */

import { Directive, directive } from "lit-html/directive.js";
import { watchSize } from "../charts/size.js";
import { renderInto } from "../charts/template.js";

/** Draws into an element whenever the template is rendered, and when its width changes. */
class Sized extends Directive {
  /** @type {HTMLElement | null} */
  place = null;
  /** @type {((width: number) => unknown) | null} */
  draw = null;

  render(/** @type {(width: number) => unknown} */ _) {}

  /**
   * @param {import("lit-html/directive.js").ElementPart} part
   * @param {[(width: number) => unknown]} given
   */
  update(part, [draw]) {
    this.draw = draw;
    if (this.place === part.element) return this.paint();
    const place = /** @type {HTMLElement} */ (part.element);
    this.place = place;
    // Sizes are known once the element is in the page.
    requestAnimationFrame(() => watchSize(place, () => this.paint()));
  }

  paint() {
    const { place, draw } = this;
    if (place && draw && place.clientWidth > 0) renderInto(draw(place.clientWidth), place);
  }
}

export const sized = directive(Sized);
