/**
 * Builds the page into `tb_convergence/serving/static/`:
 *
 *   index.js, chunk.js       the ES module TensorBoard's plugin loader imports, and what it imports
 *   later.js                 what is fetched when it is first needed: src/later.js
 *   experiments.js, landscape.js   likewise, a view each: src/experiments/, src/landscape/
 *   index.css, later.css, ...      the styles of each
 *   THIRD_PARTY_NOTICES.txt  licenses of the packages whose code is inside, from esbuild's metafile
 *
 * `node build.mjs --outdir DIR` builds elsewhere; `--dev` keeps names and adds source maps.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";

/** Beyond these the build fails: the page has to open fast over a slow tunnel. */
const LIMIT_GZIP_BYTES = 80_000;
const LIMIT_ALL_GZIP_BYTES = 146_500;
const LIMIT_VIEW_GZIP_BYTES = 15_000;
/** Views in files of their own: they neither weigh on the opening nor on what is fetched then. */
const VIEWS = ["experiments", "landscape"];

const here = path.dirname(fileURLToPath(import.meta.url));
const arguments_ = process.argv.slice(2);
const dev = arguments_.includes("--dev");
const given = arguments_.indexOf("--outdir");
const outdir =
  given >= 0
    ? path.resolve(arguments_[given + 1])
    : path.resolve(here, "../tb_convergence/serving/static");

const common = {
  absWorkingDir: here,
  bundle: true,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  minify: !dev,
  sourcemap: dev ? "inline" : false,
  target: ["chrome110", "firefox110", "safari16"],
  write: false,
};

/**
 * Folders of the packages that gave at least one byte to the bundle.
 * @param {import("esbuild").Metafile[]} metafiles
 */
function packagesIn(metafiles) {
  const found = new Set();
  for (const metafile of metafiles) {
    for (const output of Object.values(metafile.outputs)) {
      for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
        const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
        if (match && bytesInOutput > 0) found.add(match[1]);
      }
    }
  }
  return [...found].sort();
}

/** @param {string} folder */
function notice(folder) {
  const absolute = path.join(here, folder);
  const { name, version, license } = JSON.parse(
    readFileSync(path.join(absolute, "package.json"), "utf8"),
  );
  const file = readdirSync(absolute).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
  if (!file) throw new Error(`${name} ${version} carries no license file: it cannot be bundled`);
  const text = readFileSync(path.join(absolute, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}\n`;
}

const css = await build({
  ...common,
  entryPoints: {
    index: "src/styles/index.css",
    later: "src/styles/later.css",
    ...Object.fromEntries(VIEWS.map((view) => [view, `src/styles/${view}.css`])),
  },
  outdir: "/",
});
const styles = css.outputFiles.map((file) => [path.basename(file.path), file.contents]);
const digest = createHash("sha256");
for (const [, contents] of styles) digest.update(contents);
const version = digest.digest("hex").slice(0, 10);
/**
 * What src/shared.js exports is in index.js already: a view takes it from there.
 *
 * @type {import("esbuild").Plugin}
 */
const shared = {
  name: "shared",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path: asked, resolveDir, kind }) => {
      if (kind === "entry-point") return undefined;
      const file = asked.startsWith(".")
        ? path.relative(here, path.resolve(resolveDir, asked))
        : asked;
      return SHARED.has(file) ? { path: "./index.js", external: true } : undefined;
    });
  },
};
/** Modules that src/shared.js takes its exports from. */
const SHARED = new Set(
  [...readFileSync(path.join(here, "src/shared.js"), "utf8").matchAll(/from "(.+?)"/g)].map(
    ([, from]) => (from.startsWith(".") ? path.join("src", from) : from),
  ),
);
const views = await build({
  ...common,
  entryPoints: Object.fromEntries(VIEWS.map((view) => [view, `src/${view}/index.js`])),
  format: "esm",
  outdir: "/",
  plugins: [shared],
});
/** @type {import("esbuild").Plugin} */
const apart = {
  name: "apart",
  setup({ onResolve }) {
    onResolve({ filter: /\/index\.js$/ }, ({ path: asked, kind }) => {
      const view = VIEWS.find((one) => asked.endsWith(`${one}/index.js`));
      return view && kind === "dynamic-import"
        ? { path: `./${view}.js`, external: true }
        : undefined;
    });
  },
};
const js = await build({
  ...common,
  chunkNames: "[name]",
  define: { STYLES_VERSION: JSON.stringify(version) },
  entryPoints: { index: "src/index.js" },
  format: "esm",
  outdir: "/",
  plugins: [apart],
  splitting: true,
});
/**
 * Nearly every function runs while the tab opens. Chromium compiles them beside the main thread, while
 * the file loads, where this asks for it (other browsers see a comment).
 * https://v8.dev/blog/explicit-compile-hints
 */
const COMPILE_HINT = "//# allFunctionsCalledOnLoad";
/**
 * esbuild's own minifier leaves 5 % more to send. Only templates of markup go over several lines
 * once code is minified: their indentation says nothing.
 *
 * @param {import("esbuild").OutputFile} file
 * @returns {Promise<[string, Uint8Array]>}
 */
async function written({ path: name, text, contents }) {
  if (dev) return [path.basename(name), contents];
  const { code = "" } = await minify(text.replace(/\n[ \t]+/g, " "), {
    compress: { passes: 3 },
    ecma: 2020,
    format: { preamble: COMPILE_HINT },
    module: true,
  });
  return [path.basename(name), new TextEncoder().encode(code)];
}
const made = [...js.outputFiles, ...views.outputFiles];
const files = new Map(await Promise.all(made.map(written)));
if ([...files.keys()].sort().join() !== "chunk.js,experiments.js,index.js,landscape.js,later.js") {
  throw new Error(`the page came out as ${[...files.keys()].join(", ")}`);
}
for (const [name, contents] of styles) files.set(name, contents);

/** A name that index.js does not export would only fail in a browser. */
const entry = Object.entries(js.metafile.outputs).find(([name]) => name.endsWith("index.js"));
const exported = new Set(entry?.[1].exports);
for (const view of views.outputFiles) {
  for (const [, names] of view.text.matchAll(/import\s*\{([^}]*)\}\s*from\s*"\.\/index\.js"/g)) {
    const lacking = names
      .split(",")
      .map((name) => name.trim().split(/\s+as\s+/)[0])
      .filter((name) => name === "render" || (name && !exported.has(name)));
    if (lacking.length) throw new Error(`src/shared.js lacks ${lacking.join(", ")}`);
  }
}
const sizes = [...files].map(([name, bytes]) => ({
  name,
  size: gzipSync(bytes, { level: 9 }).length,
}));
const sum = (/** @type {typeof sizes} */ of) => of.reduce((total, { size }) => total + size, 0);
const size = sum(sizes.filter(({ name }) => !/^(later|experiments|landscape)\./.test(name)));
const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB gzip`;
process.stdout.write(`to open: ${kilobytes(size)}; in all: ${kilobytes(sum(sizes))}\n`);
if (!dev && size > LIMIT_GZIP_BYTES) {
  throw new Error(`bundle is ${size} bytes gzip, the limit is ${LIMIT_GZIP_BYTES}`);
}

for (const view of VIEWS) {
  const own = sum(sizes.filter(({ name }) => name.startsWith(`${view}.`)));
  if (!dev && own > LIMIT_VIEW_GZIP_BYTES) {
    throw new Error(`${view} is ${own} bytes gzip, the limit is ${LIMIT_VIEW_GZIP_BYTES}`);
  }
}
if (!dev && sum(sizes) > LIMIT_ALL_GZIP_BYTES) {
  throw new Error(`all files are ${sum(sizes)} bytes gzip, the limit is ${LIMIT_ALL_GZIP_BYTES}`);
}

const notices = packagesIn([css.metafile, js.metafile, views.metafile]).map(notice);
const head = "The page of the Convergence tab contains code of these packages.\n";
mkdirSync(outdir, { recursive: true });
for (const [name, bytes] of files) writeFileSync(path.join(outdir, name), bytes);
writeFileSync(
  path.join(outdir, "THIRD_PARTY_NOTICES.txt"),
  [head, ...notices].join(`\n${"-".repeat(78)}\n\n`),
);
