// SQL functions are called with named arguments: a parameter in the wrong place is an error, not a wrong value.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const packageDir = join(import.meta.dirname, "..");
const read = (pattern: string): string[] =>
  globSync(pattern, { cwd: packageDir }).map((file) => readFileSync(join(packageDir, file), "utf8"));

/** Functions with several arguments that begin with `p_`; arguments that are rows have one letter. */
const functions = read("functions/*.sql")
  .flatMap((text) => [...text.matchAll(/create or replace function (\w+)\(([^)]*)\)/g)])
  .filter(([, , parameters = ""]) => /^\s*p_\w+ [^,]+,/.test(parameters))
  .map(([, name = ""]) => name);

test("a call of a function with several arguments names them", () => {
  expect(functions).toContain("finish_turn");
  const call = new RegExp(`\\b(?:${functions.join("|")})\\((?!\\s*(?:p_\\w+ =>|\\)))\\s*\\S*`, "g");
  const code = read("src/**/*.ts").map((text) => text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, ""));
  expect(code.flatMap((text) => text.match(call) ?? [])).toEqual([]);
});
