// Edits of a tree without a directory on disk: what a client's write or delete makes of it. Knows no content.

import { AppError } from "@dari/domain";
import { pathProblem } from "./path-rules.ts";
import { isTreeRoot, parentOf, treeOf, type Tree, type TreeEntry } from "./tree.ts";

const directoryMode = 0o755;

/**
 * The tree with this file, its parent directories made where they are missing. A file or symlink that is there is
 * replaced. `save` finds the content in its `dir` at the same path.
 * @throws AppError `invalid` for a path that cannot be; `conflict` when a directory is there, or a parent is none.
 */
export function withFile(tree: Tree, file: { path: string; mode: number; sizeBytes: number; sha256: string }): Tree {
  const problem = pathProblem(file.path);
  if (problem !== undefined) throw new AppError("invalid", problem);
  if (tree.get(file.path)?.type === "directory") throw new AppError("conflict", "this path is a directory");
  const added: TreeEntry[] = [{ ...file, type: "file" }];
  for (let path = parentOf(file.path); !isTreeRoot(path); path = parentOf(path)) {
    const parent = tree.get(path);
    if (parent === undefined) added.push({ path, type: "directory", mode: directoryMode, sizeBytes: 0 });
    else if (parent.type !== "directory") throw new AppError("conflict", "a parent of this path is not a directory");
  }
  return treeOf([...tree.values(), ...added]);
}

/** The tree without this path and what is below it, or undefined when nothing is there. */
export function withoutPath(tree: Tree, path: string): Tree | undefined {
  if (!tree.has(path)) return undefined;
  return treeOf([...tree.values()].filter((entry) => entry.path !== path && !entry.path.startsWith(`${path}/`)));
}
