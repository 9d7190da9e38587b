// Removes what an agent or a build may have made: directories that are nested deeper than a path may be long, and
// directories that nobody may write to.

import { execFile } from "node:child_process";
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Never follows a link; what does not exist is fine. Goes through mounts: nothing may be mounted below `path`.
 * @throws the system's error where it cannot be removed.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (isClosed(error)) await openDirectories(path);
    else if (!isTooDeep(error)) throw error;
    // It walks step by step, and so comes to the end of any depth.
    await run("rm", ["-rf", "--one-file-system", "--", path]);
  }
}

/** Directories only: files may be links to others that are kept. */
async function openDirectories(top: string): Promise<void> {
  try {
    const left = [top];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      await chmod(dir, 0o700);
      for (const entry of await readdir(dir, { withFileTypes: true })) {
        if (entry.isDirectory()) left.push(join(dir, entry.name));
      }
    }
  } catch (error) {
    if (!isTooDeep(error)) throw error;
    await run("find", [top, "-type", "d", "-exec", "chmod", "u+rwx", "{}", ";"]);
  }
}

function isClosed(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM";
}

function isTooDeep(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENAMETOOLONG";
}
