/**
 * The place of a view that is a file of its own: it is fetched when it is first opened, and then told
 * what changed.
 */
import { nothing } from "lit-html";
import { Directive, directive } from "lit-html/directive.js";
import { loadStyles } from "../host/styles.js";

/**
 * @typedef {object} Part
 * @property {() => Promise<{mount: (root: HTMLElement, host: any) => {update: (props: any) => void}}>} load
 * @property {string} styles
 * @property {string} name  For the line that says it could not be fetched.
 */

class Apart extends Directive {
  /** @type {{update: (props: any) => void} | null} */
  view = null;
  /** @type {Element | null} */
  place = null;
  /** @type {unknown} */
  props = null;

  /**
   * @param {Part} _part
   * @param {unknown} _props
   * @param {unknown} _host
   */
  render(_part, _props, _host) {
    return nothing;
  }

  /**
   * @param {import("lit-html/directive.js").ElementPart} at
   * @param {[Part, unknown, unknown]} given
   */
  update(at, [part, props, host]) {
    this.props = props;
    if (this.place === at.element) return this.view?.update(props);
    const place = /** @type {HTMLElement} */ (at.element);
    this.place = place;
    Promise.all([part.load(), loadStyles(part.styles)]).then(
      ([{ mount }]) => {
        const inside = document.createElement("div");
        place.replaceChildren(inside);
        this.view = mount(inside, host);
        this.view.update(this.props);
      },
      () => place.replaceChildren(`The ${part.name} could not be fetched. Reload the page.`),
    );
  }
}

export const apart = directive(Apart);
