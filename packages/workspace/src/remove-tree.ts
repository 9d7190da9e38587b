// Removes what an agent may have made: also directories that are nested deeper than a path may be long.

import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

/** Never follows a link. What does not exist is fine. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENAMETOOLONG") throw error;
    // It walks step by step, and so comes to the end of any depth.
    await promisify(execFile)("rm", ["-rf", "--one-file-system", "--", path]);
  }
}
