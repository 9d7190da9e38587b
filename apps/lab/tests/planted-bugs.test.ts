// The planted bugs still match the sources. Fails when a text that a planted bug replaces has changed.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { applyEdit, type Edit } from "../src/planted-bugs/plant.ts";
import { plainTurn, plants } from "../src/planted-bugs/plants.ts";
import { checkout } from "../src/program.ts";

test.each(plants)("$name", ({ edits, caughtBy }) => {
  const texts = new Map<string, string>();
  for (const edit of edits) {
    const text = texts.get(edit.file) ?? readFileSync(join(checkout, edit.file), "utf8");
    texts.set(edit.file, applyEdit(text, edit));
  }
  expect(readFileSync(join(checkout, caughtBy.file), "utf8").length).toBeGreaterThan(0);
});

test("a plain turn is among the tests", () => {
  expect(readFileSync(join(checkout, plainTurn.file), "utf8")).toContain("moves message, session, head and ledger");
});

const source = `create or replace function one() as $$ a = b
  and c $$;
create or replace function two() as $$ a = b $$;`;
const edit: Edit = { file: "x.sql", sqlFunction: "one", find: "a = b and c", replace: "a = b" };

test("a text is found whatever its line breaks, and in its function only", () => {
  expect(applyEdit(source, edit)).toContain("one() as $$ a = b $$;");
  expect(() => applyEdit(source, { ...edit, sqlFunction: "two" })).toThrow("x.sql has 0 places of: a = b and c");
});

test("a text that occurs more than once, or a missing function, is refused", () => {
  expect(() => applyEdit(source, { file: "x.sql", find: "a = b", replace: "" })).toThrow("2 places");
  expect(() => applyEdit(source, { ...edit, sqlFunction: "three" })).toThrow("x.sql has no function three");
});
