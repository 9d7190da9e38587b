// Lists a directory of a session's newest saved workspace.

import type { DirectoryListing } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { requireFound, normalizeWorkspacePath } from "@dari/domain";
import { listDirectory } from "@dari/workspace";
import { loadSessionTree } from "./load-session-tree.ts";
import { resolveDirectory } from "./resolve-path.ts";

/**
 * Lists one level, or with `recursive` everything below. @throws AppError `not_found`, `invalid` for a path out of the
 * workspace.
 */
export async function listSessionFiles(
  control: Control,
  actor: Actor,
  input: { sessionId: string; path: string; recursive: boolean },
): Promise<{ readonly listing: DirectoryListing; readonly restoredFrom: string | undefined }> {
  const path = normalizeWorkspacePath(input.path);
  const { tree, restoredFrom } = await loadSessionTree(control, actor, input.sessionId);
  const entries = listDirectory(tree, resolveDirectory(tree, path), { recursive: input.recursive });
  return { listing: { path, entries: requireFound(entries, `directory ${path}`) }, restoredFrom };
}
