// Names and paths that clients and agents may give to files.

import { describe, expect, test } from "@jest/globals";
import { limits } from "./limits.ts";
import { leafFilename, normalizeWorkspacePath, numberedFilename } from "./paths.ts";

describe("numbered file names", () => {
  test.each([
    ["report.pdf", 1, "report.pdf"],
    ["report.pdf", 2, "report-2.pdf"],
    [".env", 3, ".env-3"],
    ["a.tar.gz", 2, "a.tar-2.gz"],
  ])("%s, %i", (name, n, expected) => {
    expect(numberedFilename(name, n)).toBe(expected);
  });

  test.each(["a".repeat(255), `${"ü".repeat(125)}.txt`, `x.${"y".repeat(253)}`])(
    "never longer than the limit of a name",
    (name) => {
      const numbered = numberedFilename(name, 12);
      expect(Buffer.byteLength(numbered)).toBeLessThanOrEqual(limits.filenameBytes);
      expect(numbered).not.toBe(numberedFilename(name, 13));
      expect(numbered.isWellFormed()).toBe(true);
    },
  );
});

test("a leaf is never empty, a dot name or a path", () => {
  expect(["a/b.txt", "..", "", "c:\\x\\y.txt", "a/"].map(leafFilename)).toEqual([
    "b.txt",
    "file",
    "file",
    "y.txt",
    "a",
  ]);
});

test("client paths are normal or refused", () => {
  expect(["/workspace/a", "a//b/", "/", "/workspace"].map(normalizeWorkspacePath)).toEqual(["/a", "/a/b", "/", "/"]);
  expect(() => normalizeWorkspacePath("/a/../b")).toThrow(/'\.\.'/);
  expect(() => normalizeWorkspacePath("/a\0b")).toThrow(/NUL/);
});
