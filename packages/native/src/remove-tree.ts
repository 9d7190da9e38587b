// Removes what an agent or a build may have made: directories that are nested deeper than a path may be long, and
// directories that nobody may write to.

import { execFile } from "node:child_process";
import type { Dirent } from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startWithCapabilities } from "./namespace/capabilities.ts";

const execute = promisify(execFile);
/** What this process may remove or change, the program may as well. */
const run = (command: string, args: readonly string[]): Promise<unknown> =>
  startWithCapabilities(() => execute(command, args));

/**
 * Never follows a link; what does not exist is fine. Goes through mounts: nothing may be mounted below `path`.
 * @throws the system's error where it cannot be removed.
 */
export async function removeTree(path: string): Promise<void> {
  const failed = await tryRemove(path);
  if (failed === undefined) return;
  if (isClosed(failed)) await openDirectories(path);
  else if (!isTooDeep(failed)) throw failed;
  const again = isTooDeep(failed) ? failed : await tryRemove(path);
  if (again === undefined) return;
  if (!isTooDeep(again)) throw again;
  // It walks step by step, and so comes to the end of any depth. With options that every system's knows.
  await run("rm", ["-rf", "--", path]);
}

/** Undefined when it is gone. */
async function tryRemove(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return rm(path, { recursive: true, force: true }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
}

/** Directories only: files may be links to others that are kept. */
async function openDirectories(top: string): Promise<void> {
  try {
    const left = [top];
    for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
      for (const entry of await openDirectory(dir)) if (entry.isDirectory()) left.push(join(dir, entry.name));
    }
  } catch (error) {
    if (!isTooDeep(error)) throw error;
    await run("find", [top, "-type", "d", "-exec", "chmod", "u+rwx", "{}", ";"]);
  }
}

/** What is in it. The removal that failed may still be under way elsewhere: what is gone is fine. */
async function openDirectory(dir: string): Promise<Dirent[]> {
  try {
    await chmod(dir, 0o700);
    return await readdir(dir, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return [];
  }
}

function isClosed({ code }: NodeJS.ErrnoException): boolean {
  return code === "EACCES" || code === "EPERM";
}

function isTooDeep(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENAMETOOLONG";
}
