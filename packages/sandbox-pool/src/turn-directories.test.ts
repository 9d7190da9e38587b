// Directories of turns are used again when nothing is in them, and only then.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createSlotDirectories } from "./turn-directories.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "dari-slots-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

test("a directory that was left empty is used again, and by one turn at a time", async () => {
  const slots = createSlotDirectories(parent);
  const [first, second] = [slots.take(), slots.take()];
  expect(second).not.toBe(first);
  await slots.giveBack(first);
  expect(slots.take()).toBe(first);
  expect(readdirSync(parent)).toHaveLength(2);
});

test("what a turn left is gone, and nothing of it is seen by the next", async () => {
  const slots = createSlotDirectories(parent);
  const dir = slots.take();
  mkdirSync(join(dir, "workspace"));
  writeFileSync(join(dir, "workspace", "secret"), "mine");
  await slots.giveBack(dir);
  expect(existsSync(dir)).toBe(false);
  expect(readdirSync(slots.take())).toEqual([]);
});

test("directories nested deeper than a path may be long are removed", async () => {
  const slots = createSlotDirectories(parent);
  const dir = slots.take();
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
  await slots.giveBack(dir);
  expect(existsSync(dir)).toBe(false);
});

test("a directory that its disk has taken along is not missed", async () => {
  const slots = createSlotDirectories(parent);
  const dir = slots.take();
  await rm(dir, { recursive: true });
  await slots.giveBack(dir);
  expect(slots.take()).not.toBe(dir);
});
