/** The sources hold none of the ways by which text from a log could become markup or code. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "../src");
const files = readdirSync(root, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".js"));

const BANNED = [
  /\binnerHTML\b/,
  /\bouterHTML\b/,
  /\binsertAdjacentHTML\b/,
  /\bunsafe(HTML|SVG|CSS)\b/i,
  /\bdocument\.write\b/,
  /\beval\s*\(/,
  /\bnew Function\b/,
  /\bDOMParser\b/,
  /\bcreateContextualFragment\b/,
  /\bset(Timeout|Interval)\s*\(\s*["'`]/,
];

test("there are sources", () => assert.ok(files.length > 20));

for (const file of files) {
  test(`${file} makes no markup and no code from text`, () => {
    const text = readFileSync(path.join(root, file), "utf8");
    for (const pattern of BANNED) assert.doesNotMatch(text, pattern);
  });
}

test("the sources are small files", () => {
  for (const file of files) {
    const lines = readFileSync(path.join(root, file), "utf8").split("\n").length;
    assert.ok(lines <= 400, `${file} has ${lines} lines`);
  }
});

test("the lock file names no registry", () => {
  const lock = readFileSync(path.join(root, "../package-lock.json"), "utf8");
  assert.doesNotMatch(lock, /"resolved"/);
  assert.doesNotMatch(lock, /registry/);
});
