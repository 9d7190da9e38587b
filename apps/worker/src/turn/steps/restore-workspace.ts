// Restores the session's workspace for a turn, with the files that its agent's SDK reads from the working directory.

import { openWorkspace } from "@dari/control/storage";
import type { LoadedAttempt, RestoredAttempt } from "../attempt.ts";
import { lendBundleFiles } from "./lend-bundle-files.ts";

/** `imageDir`: the unpacked image of the turn's version. */
export async function restoreWorkspace(attempt: LoadedAttempt, imageDir: string): Promise<RestoredAttempt> {
  const { context, turn, cleanup } = attempt;
  const turnDir = context.turnDirectories.allocate();
  cleanup.defer("turn.directory_left", () => context.turnDirectories.release(turnDir));
  const opened = await openWorkspace(context.workspaces, turn, turnDir);
  // The session's next turn on this machine finds the disk if its snapshot is the head.
  cleanup.defer("turn.disk_not_kept", ({ saved }) =>
    saved === undefined ? opened.disk.close() : opened.disk.keep(saved.tree),
  );
  if (opened.restoredFrom !== undefined) {
    const { sessionId: session, headSnapshotId: head } = turn;
    context.log.error({ session, head, restored: opened.restoredFrom }, "workspace.restored_from_older");
  }
  const lent = await lendBundleFiles(context, turn.organizationId, imageDir, turnDir);
  return { ...attempt, imageDir, turnDir, opened, lent };
}
