// Turns what a client's path leads to in a saved workspace into an entry, or into the refusal a client gets.

import { AppError, notFound } from "@dari/domain";
import { findClientPath, resolvePath, treePathOf, type Tree, type TreeEntry } from "@dari/workspace";

/** The directory's own path, links followed. @throws AppError `not_found`, `invalid` when a link leaves. */
export function directoryOf(tree: Tree, path: string): string {
  const entry = resolve(tree, path, "directory");
  if (entry === "root") return "/";
  if (entry.type !== "directory") throw notFound(`directory ${path}`);
  return findClientPath(entry.path) ?? path;
}

/** @throws AppError `not_found`, `invalid` when it is no file or a link leaves. */
export function fileOf(tree: Tree, path: string): TreeEntry {
  const entry = resolve(tree, path, "file");
  if (entry === "root" || entry.type !== "file") {
    const message = `${path} is a directory, not a file`;
    throw new AppError("invalid", message, { issues: [{ path: "path", message }] });
  }
  return entry;
}

/**
 * Where in the tree a file that is written at this path lies, links followed. The file need not be there.
 * @throws AppError `conflict` when a directory is there, `invalid` when a link leaves, `not_found` below a file.
 */
export function placeOf(tree: Tree, path: string): string {
  const resolved = resolvePath(tree, path);
  if (resolved.kind === "root" || (resolved.kind === "found" && resolved.entry.type === "directory")) {
    throw new AppError("conflict", `${path} is a directory`);
  }
  if (resolved.kind === "found") return resolved.entry.path;
  if (resolved.kind === "outside") throw leaves(path);
  // A link that leads nowhere is replaced.
  return placeIn(tree, path);
}

/** The entry itself, also where it is a link; links on the way to it are followed. */
export function findEntry(tree: Tree, path: string): TreeEntry | undefined {
  return tree.get(placeIn(tree, path));
}

/** @throws AppError `invalid` when a link on the way leaves */
function placeIn(tree: Tree, path: string): string {
  const cut = path.lastIndexOf("/");
  const [parent, name] = [path.slice(0, cut), path.slice(cut + 1)];
  const resolved = resolvePath(tree, parent);
  if (resolved.kind === "outside") throw leaves(path);
  return resolved.kind === "found" ? `${resolved.entry.path}/${name}` : treePathOf(path);
}

function leaves(path: string): AppError {
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
      throw leaves(path);
  }
}
