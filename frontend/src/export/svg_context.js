/**
 * A drawing context that makes an SVG of what charts draw on a canvas: as much of the canvas's own
 * interface as they use. Text becomes text nodes, so nothing in it can become markup.
 */

const SPACE = "http://www.w3.org/2000/svg";
const BASELINE = { top: "hanging", middle: "central", bottom: "text-after-edge" };
const ANCHOR = { left: "start", center: "middle", right: "end" };

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @param {number} value */
function short(value) {
  return String(Math.round(value * 100) / 100);
}

export class SvgContext {
  /**
   * @param {number} width In CSS pixels.
   * @param {number} height
   * @param {number} ratio Of pictures in it.
   */
  constructor(width, height, ratio) {
    this.root = element("svg", { xmlns: SPACE, width, height, viewBox: `0 0 ${width} ${height}` });
    this.definitions = element("defs", {});
    this.root.append(this.definitions);
    this.ratio = ratio;
    this.count = 0;
    this.measure = /** @type {CanvasRenderingContext2D} */ (
      document.createElement("canvas").getContext("2d")
    );
    this.state = {
      fillStyle: "#000",
      strokeStyle: "#000",
      lineWidth: 1,
      lineJoin: "miter",
      globalAlpha: 1,
      font: "11px sans-serif",
      textAlign: "left",
      textBaseline: "alphabetic",
      dash: /** @type {number[]} */ ([]),
      transform: "",
      parent: /** @type {Element} */ (this.root),
    };
    /** @type {SvgContext["state"][]} */
    this.saved = [];
    this.path = "";
    this.canvas = { clientWidth: width, width: width * ratio };
  }

  save() {
    this.saved.push({ ...this.state });
  }

  restore() {
    this.state = this.saved.pop() ?? this.state;
  }

  /** @param {number} x @param {number} y */
  translate(x, y) {
    this.state.transform += ` translate(${short(x)} ${short(y)})`;
  }

  /** @param {number} x @param {number} y */
  scale(x, y) {
    this.state.transform += ` scale(${x} ${y})`;
  }

  beginPath() {
    this.path = "";
  }

  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.path += `M${short(x)} ${short(y)}`;
  }

  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.path += `${this.path === "" ? "M" : "L"}${short(x)} ${short(y)}`;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  rect(x, y, width, height) {
    this.path += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  /**
   * A whole circle: charts draw no other arcs.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} radius
   */
  arc(x, y, radius) {
    const [r, d] = [short(radius), short(2 * radius)];
    this.path += `M${short(x - radius)} ${short(y)}a${r} ${r} 0 1 0 ${d} 0a${r} ${r} 0 1 0 -${d} 0Z`;
  }

  closePath() {
    this.path += "Z";
  }

  clip() {
    this.count += 1;
    const id = `clip${this.count}`;
    const clip = element("clipPath", { id });
    const inner = element("path", { d: this.path });
    if (this.state.transform) inner.setAttribute("transform", this.state.transform.trim());
    clip.append(inner);
    this.definitions.append(clip);
    const group = element("g", { "clip-path": `url(#${id})` });
    this.state.parent.append(group);
    this.state.parent = group;
  }

  /** @param {SVGElement} made */
  add(made) {
    if (this.state.transform) made.setAttribute("transform", this.state.transform.trim());
    if (this.state.globalAlpha < 1) made.setAttribute("opacity", short(this.state.globalAlpha));
    this.state.parent.append(made);
  }

  /** @param {{d?: string} | string} [path] @param {string} [rule] */
  fill(path, rule) {
    const d = typeof path === "object" ? (path.d ?? "") : this.path;
    this.add(element("path", { d, fill: this.state.fillStyle, "fill-rule": rule ?? "nonzero" }));
  }

  /** @param {{d?: string}} [path] */
  stroke(path) {
    const { strokeStyle, lineWidth, lineJoin, dash } = this.state;
    const d = path?.d ?? this.path;
    if (d === "") return;
    const made = element("path", {
      d,
      fill: "none",
      stroke: strokeStyle,
      "stroke-width": lineWidth,
    });
    if (dash.length) made.setAttribute("stroke-dasharray", dash.join(" "));
    if (lineJoin !== "miter") made.setAttribute("stroke-linejoin", lineJoin);
    this.add(made);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  fillRect(x, y, width, height) {
    this.add(element("rect", { ...box(x, y, width, height), fill: this.state.fillStyle }));
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  strokeRect(x, y, width, height) {
    const { strokeStyle, lineWidth } = this.state;
    const pen = { fill: "none", stroke: strokeStyle, "stroke-width": lineWidth };
    this.add(element("rect", { ...box(x, y, width, height), ...pen }));
  }

  /** @param {string} text @param {number} x @param {number} y @param {number} [room] */
  fillText(text, x, y, room) {
    const { font, textAlign, textBaseline } = this.state;
    const made = element("text", {
      x: short(x),
      y: short(y),
      fill: this.state.fillStyle,
      "text-anchor": ANCHOR[/** @type {keyof typeof ANCHOR} */ (textAlign)] ?? "start",
      "dominant-baseline": BASELINE[/** @type {keyof typeof BASELINE} */ (textBaseline)] ?? "auto",
      style: `font:${font}`,
    });
    made.append(document.createTextNode(text));
    if (room && this.measureText(text).width > room) {
      made.setAttribute("textLength", short(room));
      made.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
    this.add(made);
  }

  /** @param {string} text */
  measureText(text) {
    this.measure.font = this.state.font;
    return this.measure.measureText(text);
  }

  /** @param {number[]} dash */
  setLineDash(dash) {
    this.state.dash = dash;
  }

  /** @param {ImageData} image @param {number} x In device pixels of the chart. @param {number} y */
  putImageData(image, x, y) {
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    const { ratio } = this;
    this.drawImage(canvas, x / ratio, y / ratio, image.width / ratio, image.height / ratio);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  drawImage(canvas, x, y, width, height) {
    const picture = { ...box(x, y, width, height), href: canvas.toDataURL("image/png") };
    this.add(element("image", { ...picture, style: "image-rendering:pixelated" }));
  }

  text() {
    return new XMLSerializer().serializeToString(this.root);
  }
}

for (const name of /** @type {const} */ ([
  "fillStyle",
  "strokeStyle",
  "lineWidth",
  "lineJoin",
  "globalAlpha",
  "font",
  "textAlign",
  "textBaseline",
])) {
  Object.defineProperty(SvgContext.prototype, name, {
    get() {
      return this.state[name];
    },
    set(value) {
      this.state[name] = value;
    },
  });
}

/** @param {number} x @param {number} y @param {number} width @param {number} height */
function box(x, y, width, height) {
  return { x: short(x), y: short(y), width: short(width), height: short(height) };
}
