// Edits a tree without a directory on disk: the result of a client's write or delete.

import { AppError } from "@dari/domain";
import { pathProblem } from "./path-rules.ts";
import { isTreeRoot, parentOf, createTree, type Tree, type TreeEntry } from "./tree.ts";

const directoryMode = 0o755;

/**
 * Returns the tree with this file and its missing parent directories. Replaces an existing file or symlink. `save`
 * finds the content in its `dir` at the same path.
 * @throws AppError `invalid` for an invalid path; `conflict` if the path is a directory, or a parent is not.
 */
export function addFileToTree(
  tree: Tree,
  file: { path: string; mode: number; sizeBytes: number; sha256: string },
): Tree {
  const problem = pathProblem(file.path);
  if (problem !== undefined) throw new AppError("invalid", problem);
  if (tree.get(file.path)?.type === "directory") throw new AppError("conflict", "this path is a directory");
  const added: TreeEntry[] = [{ ...file, type: "file" }];
  for (let path = parentOf(file.path); !isTreeRoot(path); path = parentOf(path)) {
    const parent = tree.get(path);
    if (parent === undefined) added.push({ path, type: "directory", mode: directoryMode, sizeBytes: 0 });
    else if (parent.type !== "directory") throw new AppError("conflict", "a parent of this path is not a directory");
  }
  return createTree([...tree.values(), ...added]);
}

/** Returns the tree without this path and everything below it; undefined if the path does not exist. */
export function removePathFromTree(tree: Tree, path: string): Tree | undefined {
  if (!tree.has(path)) return undefined;
  return createTree([...tree.values()].filter((entry) => entry.path !== path && !entry.path.startsWith(`${path}/`)));
}
