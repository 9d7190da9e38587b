// Directories for running turns, used again once they are empty: to make and remove one waits for the disk's journal,
// which every commit of a database beside it keeps busy.

import { execFile } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

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
      if (readdirSync(dir).length === 0) free.push(dir);
      else await removeTree(dir);
    },
  };
}

/** Also what is nested deeper than a path may be long, which only a program that walks step by step gets rid of. */
async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENAMETOOLONG") throw error;
    await promisify(execFile)("rm", ["-rf", "--one-file-system", "--", dir]);
  }
}
