// The committed pages are what the code says today.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { renderPages } from "./pages.ts";
import { renderPythonClient } from "./python-client/render.ts";

const root = path.resolve(import.meta.dirname, "../../../..");

test.each(Object.entries(renderPages()))(
  "docs/%s is fresh: node packages/tooling/src/pages/write.ts",
  async (name, text) => {
    expect(await readFile(path.join(root, "docs", name), "utf8")).toBe(text);
  },
);

test.each(Object.entries(renderPythonClient()))(
  "%s has every operation: node packages/tooling/src/pages/write.ts",
  async (name, text) => {
    expect(await readFile(path.join(root, name), "utf8")).toBe(text);
  },
);
