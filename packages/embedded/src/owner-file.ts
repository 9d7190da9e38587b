// One process at a time for a directory: a file names its owner. It is taken atomically, and a dead owner's file is
// replaced.

import { linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { identifySelf, isSameProcessAlive, type ProcessIdentity } from "./process-identity.ts";
import { readStateFile } from "./state-file.ts";

/** Returns the live owner of `file`; undefined if this process now owns it. A dead owner's file is taken over. */
export function takeOwnerFile(file: string): ProcessIdentity | undefined {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(identifySelf())}\n`, { mode: 0o600 });
  try {
    for (;;) {
      try {
        // Fails if the file exists. No reader sees it half-written.
        linkSync(draft, file);
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const owner = readStateFile<ProcessIdentity>(file, (state) => typeof state.pid === "number");
      if (owner !== undefined && isSameProcessAlive(owner)) return owner;
      setAside(file);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

export function removeOwnerFile(file: string): void {
  rmSync(file, { force: true });
}

/**
 * Moves a dead owner's file away. If two processes find a dead owner, one of them moves its file, and the other finds
 * nothing to move.
 */
function setAside(file: string): void {
  const aside = `${file}.dead-${process.pid}`;
  try {
    renameSync(file, aside);
    rmSync(aside, { force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
