// One owner at a time, also after one has died.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { removeOwnerFile, takeOwnerFile } from "../src/index.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "dari-owner-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a live owner is named, a dead one is replaced, and nothing else is left behind", () => {
  const file = join(dir, "owner.json");
  writeFileSync(file, JSON.stringify({ pid: process.pid, startedAt: "before this one" }));
  expect(takeOwnerFile(file)).toBeUndefined();
  expect(takeOwnerFile(file)).toMatchObject({ pid: process.pid });
  expect(readdirSync(dir)).toEqual(["owner.json"]);
  removeOwnerFile(file);
  expect(takeOwnerFile(file)).toBeUndefined();
});
