// The copy of /etc that replaces the host's in sandboxes.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownEtcFiles, etcPaths } from "../src/bwrap-arguments.ts";
import { copySystemFiles } from "../src/system-files.ts";

let added: Record<string, string>;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "system-files-"));
  added = { ...ownEtcFiles, own: join(root, "own") };
  writeFileSync(join(root, "own"), root);
});
afterEach(() => rmSync(root, { recursive: true }));

test("holds what was named and is there, our own users, and nothing else; everybody may read them", async () => {
  const dir = await copySystemFiles(etcPaths, added);
  expect(readFileSync(join(dir, "hosts"), "utf8")).toBe(readFileSync("/etc/hosts", "utf8"));
  expect(readFileSync(join(dir, "passwd"), "utf8")).toBe(readFileSync(ownEtcFiles.passwd, "utf8"));
  expect(existsSync(join(dir, "shadow"))).toBe(false);
  expect(existsSync(join(dir, "hostname"))).toBe(false);
  expect(statSync(dir).mode & 0o777).toBe(0o755);
});

test("what a link leads to is copied where it was named, and not where it lies below", async () => {
  const dir = await copySystemFiles(["/etc/os-release", "/etc/alternatives", "/etc/missing"], added);
  expect(readlinkSync(join(dir, "os-release"))).toBe("/usr/lib/os-release");
  expect(readlinkSync(join(dir, "alternatives", "awk"))).toBe(readlinkSync("/etc/alternatives/awk"));
  expect(existsSync(join(dir, "missing"))).toBe(false);
});

test("equal files are one directory, and one that lost a file is made again", async () => {
  const dir = await copySystemFiles(etcPaths, added);
  expect(await copySystemFiles(etcPaths, added)).toBe(dir);
  rmSync(join(dir, "hosts"));
  expect(await copySystemFiles(etcPaths, added)).toBe(dir);
  expect(existsSync(join(dir, "hosts"))).toBe(true);
  writeFileSync(join(root, "own"), "another");
  expect(await copySystemFiles(etcPaths, added)).not.toBe(dir);
});
