// Our own C programs in an image: compiled when it was built, from the sources that it has.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compiledProgram, shipPrograms } from "../src/compiled-program.ts";
import { findProgram, succeeds } from "../src/programs.ts";

const compiler = (await findProgram("cc")) ?? (await findProgram("gcc")) ?? (await findProgram("clang"));
const testCompiled = process.platform === "linux" && compiler !== undefined ? test : test.skip;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "shipped-"));
});
afterEach(() => rm(dir, { recursive: true }));

testCompiled("what was shipped is used, and is whole", async () => {
  await shipPrograms(dir);
  expect((await readdir(dir)).map((name) => name.replace(/-[0-9a-f]{16}$/, "")).sort()).toEqual([
    "capabilities",
    "confine",
    "container",
    "enter",
    "group",
    "mount",
    "namespace",
    "own",
    "relay",
    "share",
    "start",
    "template",
  ]);
  const group = await compiledProgram("group", dir);
  expect(dirname(group!)).toBe(dir);
  expect(await succeeds([group!, "2", "--", "/bin/true"])).toBe(true);
  expect(await succeeds([group!, "2", "--", "/bin/false"])).toBe(false);
});

testCompiled("what was compiled from another source is not", async () => {
  const own = await compiledProgram("own", dir);
  await copyFile(own!, join(dir, `own-${"0".repeat(16)}`));
  expect(await compiledProgram("own", dir)).toBe(own);
});
