// Turns what a client's path leads to in a saved workspace into an entry, or into the refusal a client gets.

import { AppError } from "@dari/domain";
import { findClientPath, resolvePath, type Tree, type TreeEntry } from "@dari/workspace";
import { notFound } from "../refusals.ts";

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

function resolve(tree: Tree, path: string, noun: string): TreeEntry | "root" {
  const resolved = resolvePath(tree, path);
  switch (resolved.kind) {
    case "found":
      return resolved.entry;
    case "root":
      return "root";
    case "missing":
      throw notFound(`${noun} ${path}`);
    case "outside": {
      const message = `${path} leads out of the workspace`;
      throw new AppError("invalid", message, { issues: [{ path: "path", message }] });
    }
  }
}
