// Removes a directory whose directories may be read-only, as those of an unpacked image are.

import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../errors.ts";

/** Never follows a link. A directory that does not exist is fine. */
export async function removeTree(dir: string): Promise<void> {
  try {
    await rm(dir, { recursive: true, force: true });
  } catch (error) {
    if (codeOf(error) !== "EACCES" && codeOf(error) !== "EPERM") throw error;
    await openDirectories(dir);
    await rm(dir, { recursive: true, force: true });
  }
}

async function openDirectories(dir: string): Promise<void> {
  await chmod(dir, 0o700);
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isDirectory()) await openDirectories(join(dir, entry.name));
  }
}
