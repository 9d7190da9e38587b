// Tests price files by the problems that an operator gets.

import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parsePriceFile } from "./parse-price-file.ts";

const price = { host: "*", model: "m", usd_per_million_tokens: { input: 0.25, output: 1 } };
const list = { valid_from: "2026-11-01", prices: [price] };

test("the example is valid and has no duplicate price", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../examples/model-prices.yml"), "utf8");
  const result = parsePriceFile(text);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  const { prices } = result.request;
  expect(new Set(prices.map(({ host, model }) => `${host} ${model}`)).size).toBe(prices.length);
});

test("YAML and JSON mean the same", () => {
  const yaml = `valid_from: 2026-11-01 # a date
prices:
- {host: "*", model: m, usd_per_million_tokens: {input: 0.25, output: 1.0}}`;
  expect(parsePriceFile(yaml)).toEqual({ ok: true, request: list });
  expect(parsePriceFile(JSON.stringify(list))).toEqual({ ok: true, request: list });
});

test.each<[string, string, string]>([
  ["no document", "# nothing", "file: expected one YAML document, but found 0"],
  ["two documents", "a: 1\n---\nb: 1\n", "file: expected one YAML document, but found 2"],
  ["a duplicate key", "prices: []\nprices: []\n", "file: invalid YAML: duplicated mapping key (line 2, column 1)"],
  ["a text", "prices", "file: expected an object"],
  ["no prices", "valid_from: 2026-11-01\nprices:\n", "prices: expected a list"],
  ["a field with another name", JSON.stringify({ ...list, date: 1 }), "date: unsupported field"],
  ["a number that is none", JSON.stringify(list).replace("0.25", ".nan"), "input: expected at most 1000000"],
  ["a large file", `# ${"x".repeat(1024 * 1024)}`, "file: expected at most 1048576 bytes"],
])("%s is refused", (_title, text, problem) => {
  const result = parsePriceFile(text);
  const issues = result.ok ? [] : result.issues.map(({ path, message }) => `${path}: ${message}`);
  expect(issues.join("\n")).toContain(problem);
});
