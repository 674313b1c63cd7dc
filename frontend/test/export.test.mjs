/** What leaves the page: tables that any program reads and no spreadsheet runs. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { INFINITE, NAN, NO_DATA, VALUE } from "../src/data/decode.js";
import { csv } from "../src/export/csv.js";
import { fileName } from "../src/export/export_file.js";
import { SvgContext } from "../src/export/svg_context.js";
import {
  compareSheet,
  curvesSheet,
  heatSheet,
  layerSheet,
  profileSheet,
} from "../src/export/tables.js";

test("numbers keep all their digits, and what is not finite has its name", () => {
  const text = csv(["a"], [[0.1 + 0.2], [-1e-300], [Number.NaN], [Infinity], [-Infinity], [null]]);
  assert.equal(text, '"a"\r\n0.30000000000000004\r\n-1e-300\r\nNaN\r\ninf\r\n-inf\r\n\r\n');
});

test("a name from a log is text, whatever it looks like", () => {
  const names = ['=HYPERLINK("http://x")', "+1", "-1", "@x", "\tx", 'a"b', "a,b", "a\nb"];
  const lines = csv(
    ["n"],
    names.map((name) => [name]),
  );
  for (const line of lines.split("\r\n").slice(1, 6)) assert.match(line, /^"'/);
  for (const odd of ["\n=1+1", "\uff1d1+1", " =1+1"]) {
    assert.match(csv(["n"], [[odd]]).split("\r\n")[1], /^"'/);
  }
  for (const split of ["a;=1", "a\t=1"])
    assert.equal(csv(["n"], [[split]]), `"n"\r\n"${split}"\r\n`);
  assert.ok(lines.includes('"a""b"') && lines.includes('"a,b"') && lines.includes('"a\nb"'));
});

test("a negative number is no formula", () => {
  assert.equal(csv(["x"], [[-1]]), '"x"\r\n-1\r\n');
});

test("curves keep the points that have no height", () => {
  const series = {
    name: "loss",
    axis: "step",
    steps: [0, 1, 2],
    values: [2, null, 1],
    wall_times: [10, null, 12],
    nonfinite: [[1, "-Infinity"]],
  };
  assert.deepEqual(curvesSheet([series]).rows, [
    ["loss", "step", 0, 2, 10],
    ["loss", "step", 1, -Infinity, null],
    ["loss", "step", 2, 1, 12],
  ]);
});

test("a comparison is one table of settings, findings and statistics", () => {
  const change = { id: "dead-relu", title: "t", first: "critical", second: "none" };
  const { columns, rows } = compareSheet({
    settings: [{ name: "epochs", first: "6", second: null }],
    findings: [{ ...change, first_step: 4, second_step: null }],
    shared: [{ ...change, id: "overfitting", second: "critical", first_step: 9, second_step: 8 }],
    differences: [
      {
        statistic: "gradient_norm",
        first_row: "dense",
        second_row: "dense",
        first: "NaN",
        second: 0.5,
        orders: 1,
        exact: true,
        since_step: 7,
        compared: 3,
      },
    ],
  });
  assert.ok(rows.every((row) => row.length === columns.length));
  assert.deepEqual(rows, [
    ["setting", "epochs", null, "6", null, null, null],
    ["finding", "dead-relu", null, "critical", "none", 4, null],
    ["finding", "overfitting", null, "critical", "critical", 9, 8],
    ["statistic", "gradient_norm", "dense", Number.NaN, 0.5, 7, 7],
  ]);
});

test("a map's cells come in the order on screen, non-finite ones with their finite part", () => {
  const heat = {
    header: { first_steps: [0, 5], last_steps: [4, 9] },
    cells: 2,
    values: Float32Array.of(1, 2, Number.NaN, 0.5),
    codes: Uint8Array.of(VALUE, NAN, NO_DATA, INFINITE),
  };
  const { columns, rows } = heatSheet(heat, [{ name: "a" }, { name: "b" }], [1, 0], { name: "m" });
  assert.deepEqual(columns, ["row", "first_step", "last_step", "m", "finite_part"]);
  const at = profileSheet(heat, [{ name: "a" }, { name: "b" }], [0, 1], { name: "m" }, 1);
  assert.deepEqual(at.columns, columns);
  assert.deepEqual(at.rows, [rows[3], rows[1]]);
  assert.deepEqual(rows, [
    ["b", 0, 4, null, null],
    ["b", 5, 9, Infinity, 0.5],
    ["a", 0, 4, 1, null],
    ["a", 5, 9, Number.NaN, 2],
  ]);
});

test("an interval has two columns", () => {
  const reply = {
    steps: [3],
    columns: [
      { name: "n", low: [1], high: [2], nonfinite: [] },
      { name: "z", low: [null], high: null, nonfinite: [[0, "NaN"]] },
    ],
  };
  const sheet = layerSheet(reply);
  assert.deepEqual(sheet.columns, ["step", "n_low", "n_high", "z"]);
  assert.deepEqual(sheet.rows, [[3, 1, 2, Number.NaN]]);
});

test("a file name is one on every system", () => {
  assert.equal(fileName(["../../etc", "a:b*c?"]), "etc_a-b-c_convergence");
  assert.equal(fileName(["", "..."]), "convergence");
  assert.ok(fileName(["x".repeat(500)]).length <= 120);
});

test("an SVG is drawn by every operation that the charts use", () => {
  const folder = new URL("../src/charts/", import.meta.url);
  const drawn = readdirSync(folder).filter((name) => /^(heat|line|flags)/.test(name));
  const used = drawn.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    return [...text.matchAll(/\bcontext\.(\w+)\(/g)].map(([, operation]) => operation);
  });
  assert.ok(new Set(used).size > 10, "the charts' drawing is found");
  const known = Object.getOwnPropertyNames(SvgContext.prototype);
  assert.deepEqual([...new Set(used)].filter((one) => !known.includes(one)).sort(), []);
});
