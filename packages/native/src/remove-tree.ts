// Removes what an agent or a build may have created: directories that are nested deeper than a path can be long, and
// read-only directories.

import { execFile } from "node:child_process";
import type { Dirent } from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startWithCapabilities } from "./namespace/capabilities.ts";

const execute = promisify(execFile);
/** The program runs as this process's user, so it may remove the same files. */
const run = (command: string, args: readonly string[]): Promise<unknown> =>
  startWithCapabilities(() => execute(command, args));

/**
 * Never follows a link. Ignores a missing path. Goes through mounts, so nothing may be mounted below `path`.
 * @throws the system's error if it cannot be removed
 */
export async function removeTree(path: string): Promise<void> {
  const failed = await tryRemove(path);
  if (failed === undefined) return;
  if (isClosed(failed)) await openDirectories(path);
  else if (!isTooDeep(failed)) throw failed;
  const again = isTooDeep(failed) ? failed : await tryRemove(path);
  if (again === undefined) return;
  if (!isTooDeep(again)) throw again;
  // rm walks step by step, so any depth works. Only options that every system's rm has.
  await run("rm", ["-rf", "--", path]);
}

/** Returns undefined when it is gone. */
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

/** Returns the contents. The failed removal may still be running, so missing entries are fine. */
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
