// The committed pages are what the code says today.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { renderPages } from "./pages.ts";

const docs = path.resolve(import.meta.dirname, "../../../../docs");

test.each(Object.entries(renderPages()))(
  "docs/%s is fresh: node packages/tooling/src/pages/write.ts",
  async (name, text) => {
    expect(await readFile(path.join(docs, name), "utf8")).toBe(text);
  },
);
