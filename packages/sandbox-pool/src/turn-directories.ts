// Directories for running turns, used again once they are empty: to make and remove one waits for the disk's journal,
// which every commit of a database beside it keeps busy.

import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "@dari/sandbox";

export interface SlotDirectories {
  /** An empty directory that is the caller's until it gives it back. */
  take(): string;
  /** Whatever is left in it is removed first. Rejects, and never uses it again, when that cannot be done. */
  giveBack(dir: string): Promise<void>;
}

export function createSlotDirectories(parent: string): SlotDirectories {
  const free: string[] = [];
  let made = 0;
  return {
    take() {
      const used = free.pop();
      if (used !== undefined) return used;
      const dir = join(parent, `slot-${(made += 1)}`);
      mkdirSync(dir, { mode: 0o700 });
      return dir;
    },
    async giveBack(dir) {
      const left = namesIn(dir);
      if (left?.length === 0) free.push(dir);
      else if (left !== undefined) await removeTree(dir);
    },
  };
}

/** Undefined where it is gone: a disk that is a copy takes its directory along. */
function namesIn(dir: string): string[] | undefined {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
