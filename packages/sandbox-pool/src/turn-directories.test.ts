// Directories of turns are used again only if they are empty.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createTurnDirectories } from "./turn-directories.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "dari-slots-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

test("an empty directory is used again, by one turn at a time", async () => {
  const directories = createTurnDirectories(parent);
  const [first, second] = [directories.allocate(), directories.allocate()];
  expect(second).not.toBe(first);
  await directories.release(first);
  expect(directories.allocate()).toBe(first);
  expect(readdirSync(parent)).toHaveLength(2);
});

test("what a turn left is removed, and the next turn sees nothing of it", async () => {
  const directories = createTurnDirectories(parent);
  const dir = directories.allocate();
  mkdirSync(join(dir, "workspace"));
  writeFileSync(join(dir, "workspace", "secret"), "mine");
  await directories.release(dir);
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync(directories.allocate())).toEqual([]);
});

test("directories nested deeper than a path can be long are removed", async () => {
  const directories = createTurnDirectories(parent);
  const dir = directories.allocate();
  const before = process.cwd();
  try {
    process.chdir(dir);
    for (let i = 0; i < 25; i++) {
      const name = "d".repeat(200);
      mkdirSync(name);
      process.chdir(name);
    }
  } finally {
    process.chdir(before);
  }
  await directories.release(dir);
  expect(existsSync(dir)).toBe(false);
});

test("a directory that its disk has removed can be released", async () => {
  const directories = createTurnDirectories(parent);
  const dir = directories.allocate();
  await rm(dir, { recursive: true });
  await directories.release(dir);
  expect(directories.allocate()).not.toBe(dir);
});
