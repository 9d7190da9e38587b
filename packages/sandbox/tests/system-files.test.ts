// The copy of /etc that replaces the host's in sandboxes.

import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownEtcFiles, etcPaths } from "../src/namespaces/paths-inside.ts";
import { copySystemFiles } from "../src/slots/copy-system-files.ts";

let added: Record<string, string>;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "system-files-"));
  added = { ...ownEtcFiles, own: join(root, "own") };
  writeFileSync(join(root, "own"), root);
});
afterEach(() => rmSync(root, { recursive: true }));

test("has the named files that exist, our own users, and nothing else; everyone can read them", async () => {
  const dir = await copySystemFiles(etcPaths, added);
  expect(readFileSync(join(dir, "services"), "utf8")).toBe(readFileSync("/etc/services", "utf8"));
  expect(readFileSync(join(dir, "hosts"), "utf8")).toBe(readFileSync(ownEtcFiles.hosts, "utf8"));
  expect(readFileSync(join(dir, "passwd"), "utf8")).toBe(readFileSync(ownEtcFiles.passwd, "utf8"));
  expect(existsSync(join(dir, "shadow"))).toBe(false);
  expect(existsSync(join(dir, "hostname"))).toBe(false);
  expect(statSync(dir).mode & 0o777).toBe(0o755);
});

test("a link's target is copied to the link's path, and not to its own", async () => {
  const dir = await copySystemFiles(["/etc/os-release", "/etc/alternatives", "/etc/missing"], added);
  expect(readlinkSync(join(dir, "os-release"))).toBe("/usr/lib/os-release");
  expect(readlinkSync(join(dir, "alternatives", "awk"))).toBe(readlinkSync("/etc/alternatives/awk"));
  expect(existsSync(join(dir, "missing"))).toBe(false);
});

test("equal files are one directory, and one that lost a file is created again", async () => {
  const dir = await copySystemFiles(etcPaths, added);
  expect(await copySystemFiles(etcPaths, added)).toBe(dir);
  rmSync(join(dir, "hosts"));
  expect(await copySystemFiles(etcPaths, added)).toBe(dir);
  expect(existsSync(join(dir, "hosts"))).toBe(true);
  writeFileSync(join(root, "own"), "another");
  expect(await copySystemFiles(etcPaths, added)).not.toBe(dir);
});
