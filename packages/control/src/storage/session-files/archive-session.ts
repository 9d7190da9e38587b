// A session's newest saved workspace as an archive: all of it, or some files and directories.

import type { Actor, Control } from "@dari/control/context";
import { normalizeWorkspacePath, notFound } from "@dari/domain";
import { findClientPath, readFile, type Tree, type TreeEntry } from "@dari/workspace";
import type { ArchiveEntry } from "../archives/archive-entry.ts";
import { writeTar } from "../archives/write-tar.ts";
import { writeZip } from "../archives/write-zip.ts";
import { loadSessionTree } from "./load-session-tree.ts";
import { cacheReads } from "../workspaces/cache-reads.ts";
import { findEntry } from "./resolve-path.ts";

/**
 * Returns the archive's bytes, produced while they are read; a tar is not compressed yet. The same tree and paths give
 * the same bytes. Links are archived as links, directories with their contents.
 * @throws AppError `not_found`, `invalid`, before the first piece.
 */
export async function archiveSession(
  control: Control,
  actor: Actor,
  input: { sessionId: string; format: "tar" | "zip"; paths: readonly string[] },
): Promise<{ readonly bytes: AsyncIterable<Uint8Array>; readonly restoredFrom: string | undefined }> {
  const { tree, restoredFrom } = await loadSessionTree(control, actor, input.sessionId);
  const chosen = choose(tree, input.paths.map(normalizeWorkspacePath));
  const store = cacheReads(control.blobs);
  const entries = function* (): Generator<ArchiveEntry> {
    for (const entry of chosen) yield toArchiveEntry(entry, () => readFile(store, entry));
  };
  return { bytes: input.format === "tar" ? writeTar(entries()) : writeZip(entries()), restoredFrom };
}

/** Returns each chosen entry once, in the tree's order. */
function choose(tree: Tree, paths: readonly string[]): TreeEntry[] {
  const all = [...tree.values()].filter(({ path }) => findClientPath(path) !== undefined);
  if (paths.length === 0 || paths.includes("/")) return all;
  const tops = new Set(
    paths.map((path) => {
      const entry = findEntry(tree, path);
      if (entry === undefined) throw notFound(`path ${path}`);
      return entry.path;
    }),
  );
  return all.filter(({ path }) => isWithin(path, tops));
}

function isWithin(path: string, tops: ReadonlySet<string>): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (tops.has(path.slice(0, at))) return true;
  }
  return false;
}

function toArchiveEntry(entry: TreeEntry, open: ArchiveEntry["open"]): ArchiveEntry {
  const path = (findClientPath(entry.path) ?? "").slice(1);
  const { type, mode, target = "" } = entry;
  return { path, type, mode, sizeBytes: type === "file" ? entry.sizeBytes : 0, target, open };
}
