// Changes a session's workspace without a turn: writes one new snapshot on the head, or refuses.

import type { Control, LoadedTree } from "@dari/control/context";
import { heads, type HeadWrite, type TurnSnapshot, type WriteOutcome } from "@dari/db";
import { AppError, newId, notFound } from "@dari/domain";
import { diff, type Tree, type WorkspaceLimits } from "@dari/workspace";
import { listClientChanges, type FileChange } from "./list-client-changes.ts";
import { chainLengthMax } from "./save-workspace.ts";
import { storeSnapshot } from "./store-snapshot.ts";
import { toWorkspaceLimitError, getWorkspaceLimits } from "./workspace-limits.ts";

export interface TreeEdit {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly headId: string | null;
  readonly head: LoadedTree;
  readonly after: Tree;
  /** Contains the contents that the head does not have; see `save`. */
  readonly dir: string;
}

export type EditedTree =
  | { readonly outcome: "written"; readonly snapshotId: string; readonly filesChanged: readonly FileChange[] }
  /** The head has changed: read it again. */
  | { readonly outcome: "moved" };

/**
 * Saves an edited tree and makes it the head, if the head is still the edited one.
 * @throws AppError `too_large`; errors of `refuseWrite`.
 */
export async function writeEditedTree(control: Control, edit: TreeEdit): Promise<EditedTree> {
  const { organizationId, sessionId, headId, head } = edit;
  keepLimits(edit.after, await getWorkspaceLimits(control.db, organizationId));
  const depth = headId === null ? chainLengthMax : head.deltaDepth + 1;
  const full = depth >= chainLengthMax;
  const filesChanged = listClientChanges(diff(head.tree, edit.after));
  const change = { dir: edit.dir, before: head.tree, after: edit.after, full };
  const saved = await storeSnapshot(control, organizationId, change).catch((error: unknown) => {
    throw toWorkspaceLimitError(error);
  });
  const snapshot: TurnSnapshot = {
    id: newId("snapshot"),
    parentId: headId,
    objectKey: saved.objectKey,
    isFull: full,
    deltaDepth: full ? 0 : depth,
    treeHash: saved.treeHash,
    sizeBytes: saved.sizeBytes,
    files: saved.files,
    totalBytes: saved.totalBytes,
  };
  const outcome = await writeHead(control, { organizationId, sessionId, snapshot, filesChanged, whileIdle: false });
  if (outcome === "moved") return { outcome };
  control.trees.remember(snapshot.id, { tree: saved.tree, deltaDepth: snapshot.deltaDepth });
  return { outcome, snapshotId: snapshot.id, filesChanged };
}

/**
 * Makes a stored snapshot the head if its parent is the head. @throws AppError `not_found`, `conflict`, `session_busy`
 */
export async function writeHead(control: Control, write: HeadWrite): Promise<"written" | "moved"> {
  const outcome = await heads.writeHeadIfAtParent(control.db, write);
  if (outcome !== "written" && outcome !== "moved") throw refusal(outcome);
  if (outcome === "written") control.notifier.notify("session", write.sessionId);
  return outcome;
}

function refusal(outcome: Exclude<WriteOutcome, "written" | "moved">): AppError {
  switch (outcome) {
    case "not_found":
      return notFound("session");
    case "closed":
      return new AppError("conflict", "the session has ended; its workspace cannot be changed");
    case "busy":
      return new AppError("session_busy", "a turn of the session is running; retry when it has ended");
  }
}

/** @throws AppError `too_large` */
function keepLimits(tree: Tree, limits: WorkspaceLimits): void {
  let bytes = 0;
  for (const { sizeBytes, type, path } of tree.values()) {
    if (type === "file") bytes += sizeBytes;
    if (sizeBytes > limits.fileBytes) {
      throw new AppError("too_large", `a file of the workspace exceeds the limit of ${limits.fileBytes} bytes`);
    }
    if (Buffer.byteLength(path) > limits.pathBytes) {
      throw new AppError("too_large", `a path of the workspace exceeds the limit of ${limits.pathBytes} bytes`);
    }
  }
  if (bytes > limits.bytes) throw new AppError("too_large", `the workspace exceeds the limit of ${limits.bytes} bytes`);
  if (tree.size > limits.files) {
    throw new AppError("too_large", `the workspace exceeds the limit of ${limits.files} files and directories`);
  }
}
