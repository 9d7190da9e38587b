// The committed pages equal what the code generates.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { similarWord } from "@dari/domain";
import { typingErrorsMax } from "@dari/runtime";
import { guaranteesOf, evidence, type Evidence } from "@dari/sandbox";
import { renderPages } from "./pages.ts";
import { renderPythonClient } from "./python-client/render.ts";
import { withSecurityTable } from "./security-table.ts";
import { renderTypeScriptClient } from "./typescript-client/render.ts";

const root = path.resolve(import.meta.dirname, "../../../..");

test.each(Object.entries(renderPages()))(
  "docs/%s is fresh: node packages/tooling/src/pages/write.ts",
  async (name, text) => {
    expect(await readFile(path.join(root, "docs", name), "utf8")).toBe(text);
  },
);

test.each(Object.entries({ ...renderPythonClient(), ...renderTypeScriptClient() }))(
  "%s has every operation: node packages/tooling/src/pages/write.ts",
  async (name, text) => {
    expect(await readFile(path.join(root, name), "utf8")).toBe(text);
  },
);

test("no setting looks like a misspelling of another", () => {
  const page = renderPages()["config.md"] ?? "";
  const names = [...new Set(page.match(/(?<=^\| `)DARI_\w+/gm))];
  expect(names.length).toBeGreaterThan(40);
  const alike = names.filter((name) => {
    const others = names.filter((other) => other !== name);
    return similarWord(name, others, typingErrorsMax) !== undefined;
  });
  expect(alike).toEqual([]);
});

test("docs/security-isolation.md has the table of today: node packages/tooling/src/pages/write.ts", async () => {
  const page = await readFile(path.join(root, "docs/security-isolation.md"), "utf8");
  expect(withSecurityTable(page)).toBe(page);
});

test("each file that the security table names shows what the table says of it, and checks that itself", async () => {
  for (const [file, place] of Object.entries(evidence)) {
    const text = await readFile(path.join(root, place), "utf8");
    expect([file, new RegExp(`^testCoversSecurityTable\\(\\s*"${file}"`, "m").test(text)]).toEqual([file, true]);
    const guarantees = new Set(guaranteesOf(file as Evidence).map(({ guarantee }) => guarantee));
    const missing = [...guarantees].filter((guarantee) => !text.includes(`"${guarantee}"`));
    expect([file, guarantees.size > 0, missing]).toEqual([file, true, []]);
  }
});
