/**
 * Puts a component that draws for itself (a chart) into a template: created once, told its new
 * properties at every render, destroyed when it leaves the page.
 */
import { AsyncDirective, directive } from "lit-html/async-directive.js";
import { PartType } from "lit-html/directive.js";

/**
 * @template Props
 * @typedef {object} Component
 * @property {HTMLElement} element
 * @property {(props: Props) => void} update
 * @property {() => void} [attached]  Called when its element is on the page and can be measured.
 * @property {() => void} destroy
 */

class Mount extends AsyncDirective {
  /** @param {import("lit-html/directive.js").PartInfo} part */
  constructor(part) {
    super(part);
    if (part.type !== PartType.CHILD) throw new Error("mount() stands for a child, not attributes");
    /** @type {Component<any> | null} */
    this.component = null;
    /** @type {(() => Component<any>) | null} */
    this.create = null;
    /** @type {unknown} */
    this.props = null;
  }

  /**
   * @param {() => Component<any>} create
   * @param {unknown} props
   */
  render(create, props) {
    if (this.create !== create) {
      this.component?.destroy();
      this.component = create();
      this.create = create;
      queueMicrotask(() => this.component?.attached?.());
    }
    this.props = props;
    this.component?.update(props);
    return this.component?.element;
  }

  /** @override */
  disconnected() {
    this.component?.destroy();
    this.component = null;
  }

  /** @override */
  reconnected() {
    if (!this.create) return;
    this.component = this.create();
    this.component.update(this.props);
    this.setValue(this.component.element);
  }
}

const mountDirective = directive(Mount);

/**
 * @template Props
 * @param {() => Component<Props>} create The same function at every render.
 * @param {Props} props
 */
export function mount(create, props) {
  return mountDirective(create, props);
}
