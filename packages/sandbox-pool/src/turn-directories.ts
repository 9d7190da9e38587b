// Directories for running turns. An empty one is used again, because creating and removing a directory waits for the
// disk's journal, which each commit of a database on the same disk keeps busy.

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "@dari/native";

export interface TurnDirectories {
  /** Returns an empty directory. */
  allocate(): string;
  /** Takes the directory back and removes its contents. Rejects if that fails; then it is not used again. */
  release(dir: string): Promise<void>;
}

export function createTurnDirectories(parent: string): TurnDirectories {
  const free: string[] = [];
  let made = 0;
  return {
    allocate() {
      const used = free.pop();
      if (used !== undefined) return used;
      const dir = join(parent, `slot-${(made += 1)}`);
      mkdirSync(dir, { mode: 0o700 });
      return dir;
    },
    async release(dir) {
      const left = listNames(dir);
      if (left?.length === 0) free.push(dir);
      else if (left !== undefined) await removeTree(dir);
    },
  };
}

/** Returns undefined if the directory is gone: a disk that is a copy removes it. */
function listNames(dir: string): string[] | undefined {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
