/**
 * Entry of the view "Experiments", a file of its own that is fetched when the view is opened.
 *
 * @import { Kind, Reply } from "./types.js"
 */
import { renderInto } from "../charts/template.js";
import { asJson, asTable } from "./save.js";
import { view } from "./view.js";

/**
 * @typedef {object} Props
 * @property {{run: string, experiments: number}[]} runs
 * @property {string} run
 * @property {string[]} findings  Ids of the findings of `run`.
 * @property {string} stamp  Changes with what TensorBoard has read.
 *
 * @typedef {object} Host  What the page does for the view.
 * @property {(run: string) => Promise<Reply>} fetch
 * @property {(run: string) => void} choose
 * @property {(finding: string) => void} finding
 * @property {(name: string, blob: Blob) => void} save
 * @property {(text: string, button: HTMLElement) => void} copy
 */

/**
 * @param {HTMLElement} root
 * @param {Host} host
 */
export function mount(root, host) {
  /** @type {Props | null} */
  let props = null;
  /** @type {Reply | null} */
  let reply = null;
  let asked = 0;
  const state = {
    problem: "",
    chosen: /** @type {Partial<Record<Kind, number>>} */ ({}),
    cursor: /** @type {number | null} */ (null),
    said: "",
  };

  /** Another run begins anew; what is shown of the same run stays until the new reply is here. */
  async function fetched() {
    if (!props) return;
    const { run } = props;
    asked += 1;
    const mine = asked;
    try {
      const found = await host.fetch(run);
      if (mine !== asked) return;
      [reply, state.problem] = [found, ""];
    } catch (error) {
      if (mine !== asked) return;
      state.problem = reply ? "" : /** @type {Error} */ (error).message;
    }
    draw();
  }

  let drawing = 0;
  function draw() {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(() => {
      if (props) renderInto(view({ ...props, ...state, reply }, acts), root);
    });
  }

  const acts = {
    choose: host.choose,
    finding: host.finding,
    copy: host.copy,
    again() {
      state.problem = "";
      draw();
      fetched();
    },
    /**
     * @param {Kind} kind
     * @param {number} at
     */
    pick(kind, at) {
      state.chosen = { ...state.chosen, [kind]: at };
      state.cursor = null;
      draw();
    },
    /**
     * @param {number | null} at
     * @param {string} aloud
     */
    point(at, aloud) {
      state.cursor = at;
      if (aloud) state.said = aloud;
      draw();
    },
    /** @param {"csv" | "json"} format */
    save(format) {
      if (!props || !reply) return;
      const name = `experiments-${props.run.replace(/[^\w.-]+/g, "-").slice(0, 60)}.${format}`;
      const [text, type] =
        format === "json" ? [asJson(reply), "application/json"] : [asTable(reply), "text/csv"];
      host.save(name, new Blob([text], { type }));
      state.said = `Saved ${name}.`;
      draw();
    },
  };

  return {
    /** @param {Props} next */
    update(next) {
      const other = props?.run !== next.run;
      const news = other || props?.stamp !== next.stamp;
      const same = props !== null && JSON.stringify(next) === JSON.stringify(props);
      props = next;
      if (other) {
        reply = null;
        Object.assign(state, { problem: "", chosen: {}, cursor: null });
      }
      if (news) fetched();
      if (!same) draw();
    },
  };
}
