// Patches are tested with git: applied to the old state, they give the new one.

import { execFileSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { renderPatchNote, renderPatch, type PatchSide } from "./render-patch.ts";

const file = (text: string, mode = 0o644): PatchSide => ({ type: "file", mode, text });
const link = (text: string): PatchSide => ({ type: "symlink", mode: 0o777, text });
const lines = (count: number, every: number): string =>
  Array.from({ length: count }, (_, i) => (every > 0 && i % every === 0 ? `line ${i} changed\n` : `line ${i}\n`)).join(
    "",
  );

function lay(dir: string, path: string, side: PatchSide | undefined): void {
  if (side === undefined) return;
  const place = join(dir, path);
  mkdirSync(dirname(place), { recursive: true });
  if (side.type === "symlink") return symlinkSync(side.text, place);
  writeFileSync(place, side.text);
  chmodSync(place, side.mode);
}

function look(dir: string, path: string): PatchSide | undefined {
  const place = join(dir, path);
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined || stat.isDirectory()) return undefined;
  if (stat.isSymbolicLink()) return link(readlinkSync(place));
  return file(readFileSync(place, "utf8"), (stat.mode & 0o100) === 0 ? 0o644 : 0o755);
}

type Case = readonly [name: string, path: string, before: PatchSide | undefined, after: PatchSide | undefined];

const cases: readonly Case[] = [
  ["an edit", "a.txt", file("one\ntwo\nthree\n"), file("one\n2\nthree\n")],
  ["a creation", "deep/er/a.txt", undefined, file("one\ntwo")],
  ["a deletion", "a.txt", file("one\n"), undefined],
  ["an empty file made", "empty", undefined, file("")],
  ["an empty file deleted", "empty", file(""), undefined],
  ["a file filled", "a", file(""), file("x\n")],
  ["a file emptied", "a", file("x\ny"), file("")],
  ["a line feed added at the end", "a", file("x\ny"), file("x\ny\n")],
  ["a line feed taken from the end", "a", file("x\ny\n"), file("x\ny")],
  ["carriage returns", "a", file("x\r\ny\r\n"), file("x\ny\r\nz\r")],
  ["the executable bit", "run.sh", file("x\n"), file("x\n", 0o755)],
  ["the executable bit and an edit", "run.sh", file("x\n", 0o755), file("y\n")],
  ["a link made", "l", undefined, link("../a b")],
  ["a link moved", "l", link("a"), link("b")],
  ["a link deleted", "l", link("a"), undefined],
  ["a file that became a link", "l", file("text\n"), link("a")],
  ["a link that became a file", "l", link("a"), file("text\n", 0o755)],
  ["a name with spaces", "my file.txt", file("a\n"), file("b\n")],
  ["a new name with spaces", "my dir/my file", undefined, file("")],
  ["a name in UTF-8", "ünï/文件 😀.txt", file("a\n"), file("ä\n")],
  ["a name with quotes and control characters", 'q"u\\o\tt\ne', file("a\n"), file("b\n", 0o755)],
  ["text that looks like a patch", "a", file("--- a/b\n+++ b/c\n"), file("@@ -1 +1 @@\ndiff --git a/x b/x\n")],
  ["many hunks", "a", file(lines(500, 0)), file(lines(500, 40))],
  ["more edits than are looked for", "a", file(lines(5_000, 0)), file(lines(5_000, 1) + "end")],
  ["a byte order mark", "a", file("\ufeffa\n"), file("\ufeffb\n")],
];

test.each(cases)("git applies %s", (_name, path, before, after) => {
  const dir = mkdtempSync(join(tmpdir(), "dari-patch-"));
  try {
    lay(dir, path, before);
    const patch = renderPatchNote("logo.png", "Binary files") + renderPatch(path, before, after);
    writeFileSync(join(dir, "the.patch"), patch + renderPatchNote("z.png", "Large files"));
    execFileSync("git", ["apply", "the.patch"], { cwd: dir });
    expect(look(dir, path)).toEqual(after);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("a change that git does not see gives no patch", () => {
  expect(renderPatch("a", file("x\n", 0o600), file("x\n", 0o644))).toBe("");
});
