// Opens a file of a session's newest saved workspace.

import type { Actor, Control } from "@dari/control/context";
import { normalizeWorkspacePath } from "@dari/domain";
import { readFile, type Tree } from "@dari/workspace";
import { loadSessionTree } from "./load-session-tree.ts";
import type { OpenedContent } from "../files/get-file.ts";
import { findFileEntry } from "./resolve-path.ts";

/**
 * Follows links inside the workspace. @throws AppError `not_found`, `invalid` (not a file, or a link out of the
 * workspace).
 */
export async function getSessionFile(
  control: Control,
  actor: Actor,
  input: { sessionId: string; path: string },
): Promise<OpenedContent> {
  const path = normalizeWorkspacePath(input.path);
  const { tree, restoredFrom } = await loadSessionTree(control, actor, input.sessionId);
  return { ...openTreeFile(control, tree, path), restoredFrom };
}

/** Opens a file of any saved tree. `path` is normalized. @throws AppError as `getSessionFile`. */
export function openTreeFile(control: Control, tree: Tree, path: string): OpenedContent {
  const entry = findFileEntry(tree, path);
  return {
    filename: path.slice(path.lastIndexOf("/") + 1),
    contentType: "application/octet-stream",
    sizeBytes: entry.sizeBytes,
    sha256: entry.sha256 ?? "",
    open: (range) => readFile(control.blobs, entry, range),
  };
}
