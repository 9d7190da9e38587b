// The version of a release: the root package.json has it, and every file that must repeat it agrees.

import { expect, test } from "@jest/globals";
import { readRepeatedVersions, readVersion } from "@dari/packaging";
import { root, textFiles } from "./files.ts";

test("every file that repeats the version has the one of package.json: npm run release -- --set VERSION", async () => {
  const version = await readVersion(root);
  for (const [file, versions] of Object.entries(await readRepeatedVersions(root))) {
    const expected = file.endsWith("Chart.yaml") ? [version, version] : [version];
    expect([file, versions]).toEqual([file, expected]);
  }
});

test("members have no version of their own: their packages get it when they are built", () => {
  const members = textFiles.filter(({ path }) => /^(apps|packages)\/[^/]+\/package\.json$/.test(path));
  expect(members.length).toBeGreaterThan(20);
  const versioned = members.filter(({ text }) => Object.hasOwn(JSON.parse(text) as object, "version"));
  expect(versioned.map(({ path }) => path)).toEqual([]);
});
