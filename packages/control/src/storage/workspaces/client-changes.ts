// What changed between two trees, as clients are told.

import type { Change } from "@dari/workspace";

export interface FileChange {
  /** Absolute, as clients name it. */
  readonly path: string;
  readonly change: "created" | "modified" | "deleted";
  readonly size_bytes: number | null;
}

/** Files and links below the workspace; directories and the hidden state are not listed. */
export function clientChangesOf(changes: readonly Change[]): FileChange[] {
  return changes
    .filter((change) => change.path.startsWith("workspace/") && change.type !== "directory")
    .map((change) => ({
      path: change.path.slice("workspace".length),
      change: change.change,
      size_bytes: change.change === "deleted" ? null : change.sizeBytes,
    }));
}
