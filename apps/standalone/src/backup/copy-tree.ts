// Copies a directory that is in use: files that disappear during the copy are left out, owners and modes are kept.

import { chmod, chown, constants, copyFile, lstat, mkdir, readdir } from "node:fs/promises";
import path from "node:path";

/** Returns how much of `relative`, a path below the copied root, to copy. */
export type Selection = (relative: string) => "all" | "nothing" | "directory alone";

export const selectAll: Selection = () => "all";

/** Returns the number of files. Copies only files and directories, because the platform creates nothing else. */
export async function copyTree(from: string, to: string, select: Selection = selectAll, below = ""): Promise<number> {
  if (!(await copyDirectory(path.join(from, below), path.join(to, below)))) return 0;
  let files = 0;
  for (const entry of await readdir(path.join(from, below), { withFileTypes: true }).catch(emptyWhereGone)) {
    const relative = path.join(below, entry.name);
    const wanted = select(relative);
    if (wanted === "nothing") continue;
    if (entry.isDirectory()) {
      if (wanted === "all") files += await copyTree(from, to, select, relative);
      else await copyDirectory(path.join(from, relative), path.join(to, relative));
    } else if (entry.isFile() && (await copyOne(path.join(from, relative), path.join(to, relative)))) {
      files += 1;
    }
  }
  return files;
}

async function copyDirectory(from: string, to: string): Promise<boolean> {
  const found = await lstat(from).catch(undefinedWhereGone);
  if (found === undefined) return false;
  await mkdir(to, { recursive: true });
  await copyOwner(to, found);
  return true;
}

async function copyOne(from: string, to: string): Promise<boolean> {
  try {
    const found = await lstat(from);
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await copyOwner(to, found);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/**
 * Copies owner and mode. Only root can change owners: the copies of other users belong to them, as the originals did.
 */
async function copyOwner(name: string, { uid, gid, mode }: { uid: number; gid: number; mode: number }): Promise<void> {
  if (process.getuid?.() === 0) await chown(name, uid, gid);
  await chmod(name, mode & 0o7777);
}

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

function undefinedWhereGone(error: unknown): undefined {
  if (!isGone(error)) throw error as Error;
}

function emptyWhereGone(error: unknown): never[] {
  if (!isGone(error)) throw error as Error;
  return [];
}
