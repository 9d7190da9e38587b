// A tree as clients see it.

import { expect, test } from "@jest/globals";
import {
  emptyTree,
  findClientPath,
  listDirectory,
  resolvePath,
  createTree,
  addFileToTree,
  removePathFromTree,
} from "../src/index.ts";
import type { TreeEntry } from "../src/index.ts";

const dir = (path: string): TreeEntry => ({ path, type: "directory", mode: 0o755, sizeBytes: 0 });
const file = (path: string): TreeEntry => ({ path, type: "file", mode: 0o644, sizeBytes: 3, sha256: "0".repeat(64) });
const linkMeta = { type: "symlink", mode: 0o777, sizeBytes: 1 } as const;
const link = (path: string, target: string): TreeEntry => ({ path, ...linkMeta, target });
const tree = createTree([
  dir("workspace/output"),
  file("workspace/output/b"),
  file("workspace/output/a"),
  dir("workspace/output/sub"),
  file("workspace/output/sub/deep"),
  file("workspace/output-2"),
  dir("state/workspace"),
  file("state/secret"),
  link("workspace/up", "../state/secret"),
  link("workspace/abs", "/etc"),
  link("workspace/alias", "/workspace/output"),
  link("workspace/output/back", "../output/sub"),
  link("workspace/loop", "loop"),
  link("workspace/gone", "nothing"),
  dir("workspace/hollow"),
]);

test("lists one level, or all, sorted, without the state tree", () => {
  expect(listDirectory(tree, "/output")).toEqual([
    { path: "/output/a", type: "file", size_bytes: 3 },
    { path: "/output/b", type: "file", size_bytes: 3 },
    { path: "/output/back", type: "symlink", size_bytes: null },
    { path: "/output/sub", type: "directory", size_bytes: null },
  ]);
  expect(listDirectory(tree, "/")?.map(({ path }) => path)).toEqual([
    "/abs",
    "/alias",
    "/gone",
    "/hollow",
    "/loop",
    "/output",
    "/output-2",
    "/up",
  ]);
  expect(listDirectory(tree, "/output", { recursive: true })?.map(({ path }) => path)).toContain("/output/sub/deep");
  expect(listDirectory(tree, "/", { recursive: true })).toHaveLength(13);
  expect(listDirectory(tree, "/hollow")).toEqual([]);
  expect(listDirectory(emptyTree, "/")).toEqual([]);
  for (const path of ["/none", "/output/a", "/up", "/alias", "/../state", "/outpu"]) {
    expect(listDirectory(tree, path)).toBeUndefined();
  }
});

test.each([
  ["/output/a", "workspace/output/a"],
  ["/alias/a", "workspace/output/a"],
  ["/alias", "workspace/output"],
  ["/output/back/deep", "workspace/output/sub/deep"],
  ["/output/back/../b", "workspace/output/b"],
])("%s is found at %s", (path, at) => {
  expect(resolvePath(tree, path)).toEqual({ kind: "found", entry: tree.get(at) });
});

test.each([
  ["/", "root"],
  ["/none", "missing"],
  ["/output/a/x", "missing"],
  ["/gone", "missing"],
  ["/up", "outside"],
  ["/abs", "outside"],
  ["/abs/passwd", "outside"],
  ["/loop", "outside"],
  ["/../state/secret", "outside"],
])("%s is %s", (path, kind) => {
  expect(resolvePath(tree, path)).toEqual({ kind });
});

test("paths of trees and clients are each other's", () => {
  expect(findClientPath("workspace/output/a")).toBe("/output/a");
  expect(findClientPath("state/secret")).toBeUndefined();
});

test("edits refuse what cannot be", () => {
  const at = (path: string) => () => addFileToTree(tree, { path, mode: 0o644, sizeBytes: 0, sha256: "0".repeat(64) });
  expect(at("workspace/output")).toThrow("this path is a directory");
  expect(at("workspace/output/a/x")).toThrow("a parent of this path is not a directory");
  expect(at("workspace/abs/x")).toThrow("a parent of this path is not a directory");
  expect(at("workspace/../x")).toThrow("a path contains an empty name");
  const made = [...at("workspace/new/deep/x")().keys()];
  expect(made).toEqual(expect.arrayContaining(["workspace/new", "workspace/new/deep", "workspace/new/deep/x"]));
  expect(removePathFromTree(tree, "workspace/none")).toBeUndefined();
  expect(removePathFromTree(tree, "workspace/output")?.has("workspace/output/sub/deep")).toBe(false);
  expect(removePathFromTree(tree, "workspace/output")?.has("workspace/output-2")).toBe(true);
});
