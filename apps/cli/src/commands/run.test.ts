// Tests where `dari run --files` saves files.

import { expect, test } from "@jest/globals";
import { join } from "node:path";
import { isInGit, targetOf } from "./run.ts";

test.each([".", "./", "out", "out/", "/", "/tmp/out"])("a file is saved below %s", (directory) => {
  expect(targetOf(directory, "a/b.txt")).toBe(join(directory, "a/b.txt"));
});

test.each(["../x", "a/../../x", ".", ""])("the path %j is refused", (path) => {
  expect(() => targetOf(".", path)).toThrow("is not below the workspace");
  expect(() => targetOf("out", path)).toThrow("is not below the workspace");
});

test.each([".git/config", "a/.git/hooks/pre-commit", ".GIT/config", "a/.git"])("%s is in a git directory", (path) => {
  expect(isInGit(path)).toBe(true);
});

test.each([".gitignore", ".github/ci.yml", "a/x.git"])("%s is not in a git directory", (path) => {
  expect(isInGit(path)).toBe(false);
});
