// Resolves a client's path in a saved workspace to an entry, or to the error for the client.

import { AppError, notFound } from "@dari/domain";
import { findClientPath, resolvePath, treePathOf, type Tree, type TreeEntry } from "@dari/workspace";

/**
 * Returns the directory's path after following links. @throws AppError `not_found`, `invalid` for a link out of the
 * workspace.
 */
export function resolveDirectory(tree: Tree, path: string): string {
  const entry = resolve(tree, path, "directory");
  if (entry === "root") return "/";
  if (entry.type !== "directory") throw notFound(`directory ${path}`);
  return findClientPath(entry.path) ?? path;
}

/** @throws AppError `not_found`, `invalid` if it is not a file, or for a link out of the workspace. */
export function findFileEntry(tree: Tree, path: string): TreeEntry {
  const entry = resolve(tree, path, "file");
  if (entry === "root" || entry.type !== "file") {
    const message = `${path} is a directory, not a file`;
    throw new AppError("invalid", message, { issues: [{ path: "path", message }] });
  }
  return entry;
}

/**
 * Returns where a file that is written to this path is stored, after following links. The file need not exist.
 * @throws AppError `conflict` for a directory, `invalid` for a link out of the workspace, `not_found` below a file.
 */
export function resolveWritePath(tree: Tree, path: string): string {
  const resolved = resolvePath(tree, path);
  if (resolved.kind === "root" || (resolved.kind === "found" && resolved.entry.type === "directory")) {
    throw new AppError("conflict", `${path} is a directory`);
  }
  if (resolved.kind === "found") return resolved.entry.path;
  if (resolved.kind === "outside") throw leavesWorkspaceError(path);
  // A dangling link is replaced.
  return placeIn(tree, path);
}

/** Returns the entry itself, also if it is a link. Follows links on the way to it. */
export function findEntry(tree: Tree, path: string): TreeEntry | undefined {
  return tree.get(placeIn(tree, path));
}

/** @throws AppError `invalid` if a link on the way leads out of the workspace */
function placeIn(tree: Tree, path: string): string {
  const cut = path.lastIndexOf("/");
  const [parent, name] = [path.slice(0, cut), path.slice(cut + 1)];
  const resolved = resolvePath(tree, parent);
  if (resolved.kind === "outside") throw leavesWorkspaceError(path);
  return resolved.kind === "found" ? `${resolved.entry.path}/${name}` : treePathOf(path);
}

function leavesWorkspaceError(path: string): AppError {
  const message = `${path} leads out of the workspace`;
  return new AppError("invalid", message, { issues: [{ path: "path", message }] });
}

function resolve(tree: Tree, path: string, noun: string): TreeEntry | "root" {
  const resolved = resolvePath(tree, path);
  switch (resolved.kind) {
    case "found":
      return resolved.entry;
    case "root":
      return "root";
    case "missing":
      throw notFound(`${noun} ${path}`);
    case "outside":
      throw leavesWorkspaceError(path);
  }
}
