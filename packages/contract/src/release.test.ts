// The release is stated in one file and in package.json, which a browser cannot import.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { dariRelease } from "./release.ts";

test("the release is the one of the repository's package.json", async () => {
  const file = path.resolve(import.meta.dirname, "../../../package.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ version: dariRelease });
});
