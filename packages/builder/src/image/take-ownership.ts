// Makes the files of a build's programs this process's own, so that they can be used in place. The programs are dead,
// but they could have left hard links, an owner that a later sandbox has again, and permissions.

import { randomUUID } from "node:crypto";
import { constants, type Dirent } from "node:fs";
import { chmod, copyFile, lchown, lstat, open, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { removeTree } from "@dari/native";
import { codeOf } from "../errors.ts";

const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW;

/**
 * Opens a file after making it read-only, owned by this process, and with a single name. If it must be copied for that,
 * calls `onCopy` with its size first, which may throw.
 */
export async function openTakenOver(
  path: string,
  onCopy: (bytes: number) => void,
  isCopy = false,
): Promise<FileHandle> {
  const handle = await openOwn(path);
  try {
    const { nlink, uid, gid, mode, size } = await handle.stat();
    const isOwn = uid === process.geteuid!() && gid === process.getegid!();
    const isTaken = nlink === 1 && (isOwn || (await takes(handle)));
    // This process created a copy, whatever owner the file system shows.
    if (isCopy || isTaken) {
      // After the owner, because changing it resets permissions. This also ends the rights in an access control list.
      await handle.chmod((mode & 0o111) === 0 ? 0o444 : 0o555);
      return handle;
    }
    onCopy(size);
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  await replaceByCopy(path);
  return openTakenOver(path, onCopy, true);
}

/** Makes a directory readable and writable for this process, whatever its permissions were. */
export async function takeOverDirectory(path: string): Promise<void> {
  await takeOverLink(path);
  await chmod(path, 0o755);
}

/** Takes over a link, which has no permissions. */
export async function takeOverLink(path: string): Promise<void> {
  await lchown(path, process.geteuid!(), process.getegid!());
}

/** Removes an entry of a directory, whatever its name. `top` is a directory on the same file system. */
export async function removeEntry(dir: string, entry: Dirent<Buffer>, top: string): Promise<void> {
  const path = Buffer.concat([Buffer.from(`${dir}/`), entry.name]);
  if (entry.isDirectory()) await chmod(path, 0o700);
  const doomed = join(top, `.omitted-${randomUUID()}`);
  await rename(path, doomed);
  await removeTree(doomed);
}

/** Also opens a file that its owner, who is this process unless it is root, cannot read. */
async function openOwn(path: string): Promise<FileHandle> {
  try {
    return await open(path, readOnly);
  } catch (error) {
    if (codeOf(error) !== "EACCES") throw error;
    await chmod(path, (await lstat(path)).mode | 0o400);
    return open(path, readOnly);
  }
}

/** Returns false if this process cannot change the file's owner. */
async function takes(handle: FileHandle): Promise<boolean> {
  return handle.chown(process.geteuid!(), process.getegid!()).then(
    () => true,
    () => false,
  );
}

async function replaceByCopy(path: string): Promise<void> {
  const copy = join(dirname(path), `.copy-${randomUUID()}`);
  await copyFile(path, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await rename(copy, path);
}
