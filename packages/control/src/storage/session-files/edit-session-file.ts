// Writes and deletes files of a session's workspace while no turn runs. Each edit makes a new snapshot.

import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { WorkspaceCommit } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { AppError, invalidField, normalizeWorkspacePath, notFound } from "@dari/domain";
import { defaultWorkspaceLimits, addFileToTree, removePathFromTree, type Tree, type TreeEntry } from "@dari/workspace";
import { writeHashed, type Scratch } from "@dari/runtime";
import { loadSessionHead } from "./load-session-tree.ts";
import { writeEditedTree } from "../workspaces/write-head.ts";
import { findEntry, resolveWritePath } from "./resolve-path.ts";

/** Preconditions, as in the headers of the same names. */
export interface WritePreconditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

interface FileWrite {
  readonly sessionId: string;
  readonly path: string;
  readonly conditions: WritePreconditions;
}

export interface WrittenFile extends WorkspaceCommit {
  readonly created: boolean;
  readonly sha256: string;
}

/** How often an edit is repeated because a concurrent edit has moved the head. */
const movedMax = 8;
const fileMode = 0o644;

/**
 * Writes a file and creates missing directories. An existing file keeps its mode; a link to a file is followed. The
 * body is buffered on this machine's disk.
 * @throws AppError `invalid` (path), `conflict` (a directory), `precondition_failed`, `too_large`, `not_found`,
 *   `session_busy`; `limit_exceeded` or `unavailable` if there is no disk space.
 */
export async function putSessionFile(
  control: Control,
  actor: Actor,
  write: FileWrite & { readonly body: AsyncIterable<Uint8Array>; readonly maxBytes: number },
): Promise<WrittenFile> {
  const path = normalizeWorkspacePath(write.path);
  if (path === "/") throw invalidField("path", "expected the path of a file");
  // Check before the body is received, so that a refused body is not sent.
  const before = await loadSessionHead(control, actor, write.sessionId);
  const place = resolveWritePath(before.tree, path);
  const { pathBytes } = defaultWorkspaceLimits;
  if (Buffer.byteLength(place) > pathBytes)
    throw new AppError("too_large", `the path exceeds the limit of ${pathBytes} bytes`);
  checkConditions(before.tree.get(place), write.conditions);
  addFileToTree(before.tree, { path: place, mode: fileMode, sizeBytes: 0, sha256: "" });
  await using scratch = await control.scratch.open("write", actor.organizationId);
  const { dir } = scratch;
  const { sizeBytes, sha256 } = await receive(scratch, place, write.body, write.maxBytes);
  // Awaited here, so that the buffered body exists until it is saved.
  return await editHead(control, actor, write, (tree) => {
    const at = resolveWritePath(tree, path);
    const entry = tree.get(at);
    checkConditions(entry, write.conditions);
    // A link has changed: the content would be stored at another path than the one it is saved from.
    if (at !== place) throw new AppError("conflict", `${path} changed during this request; retry`);
    const created = entry === undefined;
    if (entry?.type === "file" && entry.sha256 === sha256) return { after: tree, dir, created, sha256 };
    const mode = entry?.type === "file" ? entry.mode : fileMode;
    return { after: addFileToTree(tree, { path: at, mode, sizeBytes, sha256 }), dir, created, sha256 };
  });
}

/**
 * Deletes a file or a link (never its target), or with `recursive` a directory with its contents.
 * @throws AppError `invalid`, `not_found`, `conflict` (a directory), `precondition_failed`, `session_busy`.
 */
export async function deleteSessionFile(
  control: Control,
  actor: Actor,
  write: FileWrite & { readonly recursive: boolean },
): Promise<void> {
  const path = normalizeWorkspacePath(write.path);
  if (path === "/") throw invalidField("path", "the workspace itself cannot be deleted");
  await editHead(control, actor, write, (tree) => {
    const entry = findEntry(tree, path);
    if (entry === undefined) throw notFound(`file ${path}`);
    checkConditions(entry, write.conditions);
    if (entry.type === "directory" && !write.recursive) {
      throw new AppError("conflict", `${path} is a directory; use \`?recursive=1\` to delete it with everything in it`);
    }
    return { after: removePathFromTree(tree, entry.path) ?? tree, dir: tmpdir() };
  });
}

/** Makes an edit of the head the next head. Repeats the edit if another client was faster. */
async function editHead<Edit extends { readonly after: Tree; readonly dir: string }>(
  control: Control,
  actor: Actor,
  { sessionId }: FileWrite,
  edit: (tree: Tree) => Edit,
): Promise<WorkspaceCommit & Omit<Edit, "after" | "dir">> {
  for (let i = 0; i < movedMax; i++) {
    const { snapshotId: headId, ...head } = await loadSessionHead(control, actor, sessionId);
    const { after, dir, ...more } = edit(head.tree);
    if (after === head.tree && headId !== null) {
      return { session_id: sessionId, snapshot_id: headId, files_changed: [], ...more };
    }
    const { organizationId } = actor;
    const edited = await writeEditedTree(control, { organizationId, sessionId, headId, head, after, dir });
    if (edited.outcome === "moved") continue;
    const { snapshotId, filesChanged } = edited;
    return { session_id: sessionId, snapshot_id: snapshotId, files_changed: [...filesChanged], ...more };
  }
  throw new AppError("conflict", "other requests changed the workspace during this one; retry");
}

/** @throws AppError `precondition_failed` */
function checkConditions(entry: TreeEntry | undefined, { ifMatch, ifNoneMatch }: WritePreconditions): void {
  const tag = entry?.type === "file" ? `"${entry.sha256 ?? ""}"` : undefined;
  const lists = (header: string): boolean =>
    header.trim() === "*" ? entry !== undefined : header.split(",").some((item) => item.trim() === tag);
  if (ifMatch !== undefined && !lists(ifMatch)) {
    throw new AppError("precondition_failed", "the file's `ETag` differs from `If-Match`; read the file again");
  }
  if (ifNoneMatch !== undefined && lists(ifNoneMatch)) {
    throw new AppError("precondition_failed", "the file exists, and the request has `If-None-Match: *`");
  }
}

/** Writes the body to this machine's disk, at `place` below the directory. @throws AppError `too_large` */
async function receive(
  scratch: Scratch,
  place: string,
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const target = join(scratch.dir, place);
  await mkdir(dirname(target), { recursive: true });
  const before = (bytes: number, total: number): void => {
    if (total > maxBytes) throw new AppError("too_large", `the file exceeds the limit of ${maxBytes} bytes`);
    scratch.take(bytes);
  };
  return writeHashed(body, target, { before });
}
