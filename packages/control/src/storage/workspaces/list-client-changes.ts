// Renders the changes between two trees for clients.

import type { Change } from "@dari/workspace";

export interface FileChange {
  /** Absolute, as clients write it. */
  readonly path: string;
  readonly change: "created" | "modified" | "deleted";
  readonly size_bytes: number | null;
}

/** Returns files and links below the workspace, without directories and the hidden state. */
export function listClientChanges(changes: readonly Change[]): FileChange[] {
  return changes
    .filter((change) => change.path.startsWith("workspace/") && change.type !== "directory")
    .map((change) => ({
      path: change.path.slice("workspace".length),
      change: change.change,
      size_bytes: change.change === "deleted" ? null : change.sizeBytes,
    }));
}
