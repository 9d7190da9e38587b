// The files of an unsuccessful attempt: listed, read, and promoted.

import type { DirectoryListing, WorkspaceCommit } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { getMessage } from "@dari/control/turns";
import { sideSnapshots } from "@dari/db";
import { AppError, requireFound, newId, normalizeWorkspacePath, notFound } from "@dari/domain";
import { diff, listDirectory } from "@dari/workspace";
import type { OpenedContent } from "../files/get-file.ts";
import { openTreeFile } from "./get-session-file.ts";
import { resolveDirectory } from "./resolve-path.ts";
import { listClientChanges } from "../workspaces/list-client-changes.ts";
import { writeHead } from "../workspaces/write-head.ts";

/** Identifies an attempt. */
export interface AttemptName {
  readonly messageId: string;
  readonly number: number;
}

/** See `listSessionFiles`. @throws AppError `not_found`, also if the attempt left nothing; `invalid` */
export async function listAttemptFiles(
  control: Control,
  actor: Actor,
  input: AttemptName & { path: string; recursive: boolean },
): Promise<DirectoryListing> {
  const path = normalizeWorkspacePath(input.path);
  const { snapshotId } = await findLeft(control, actor, input);
  const { tree } = await control.trees.load(actor.organizationId, snapshotId);
  const entries = listDirectory(tree, resolveDirectory(tree, path), { recursive: input.recursive });
  return { path, entries: requireFound(entries, `directory ${path}`) };
}

/** See `getSessionFile`. @throws AppError `not_found`, also if the attempt left nothing; `invalid` */
export async function getAttemptFile(
  control: Control,
  actor: Actor,
  input: AttemptName & { path: string },
): Promise<OpenedContent> {
  const path = normalizeWorkspacePath(input.path);
  const { snapshotId } = await findLeft(control, actor, input);
  const { tree } = await control.trees.load(actor.organizationId, snapshotId);
  return openTreeFile(control, tree, path);
}

/**
 * Promotes the attempt's files to the session's workspace, as a new snapshot. The attempt's own snapshot stays, and the
 * message stays failed.
 * @throws AppError `not_found`; `session_busy` unless the session is idle; `conflict` if the workspace is no longer the
 *   one that the attempt started from, or the session has ended.
 */
export async function promoteAttempt(control: Control, actor: Actor, name: AttemptName): Promise<WorkspaceCommit> {
  const { organizationId } = actor;
  const { sessionId, snapshotId } = await findLeft(control, actor, name);
  const side = requireFound(await sideSnapshots.findSnapshot(control.db, organizationId, snapshotId), "snapshot");
  const before = await control.trees.load(organizationId, side.parentId);
  const left = await control.trees.load(organizationId, side.id);
  const filesChanged = listClientChanges(diff(before.tree, left.tree));
  const snapshot = { ...side, id: newId("snapshot") };
  const { messageId } = name;
  const write = { organizationId, sessionId, snapshot, filesChanged, messageId, whileIdle: true };
  if ((await writeHead(control, write)) === "moved") {
    throw new AppError(
      "conflict",
      "the workspace has changed since this attempt; read the attempt's files and write the ones that you need",
    );
  }
  control.trees.remember(snapshot.id, left);
  return { session_id: sessionId, snapshot_id: snapshot.id, files_changed: filesChanged };
}

async function findLeft(
  control: Control,
  actor: Actor,
  { messageId, number }: AttemptName,
): Promise<{ sessionId: string; snapshotId: string }> {
  await getMessage(control, actor, messageId);
  const attempt = await sideSnapshots.findAttemptSnapshot(control.db, actor.organizationId, messageId, number);
  if (attempt === undefined) throw notFound("attempt");
  const { sessionId, sideSnapshotId } = attempt;
  if (sideSnapshotId === null) throw new AppError("not_found", "the attempt left no files");
  return { sessionId, snapshotId: sideSnapshotId };
}
