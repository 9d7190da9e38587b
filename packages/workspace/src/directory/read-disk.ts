// Opens and hashes files of a workspace. Never follows a symlink, never blocks on a special file.

import { createHash, hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { WorkspaceChangedError, WorkspaceUnreadableError } from "../errors.ts";
import { frameBytesMax } from "../snapshot/frame.ts";
import { hashLargeFile } from "./large-files.ts";
import type { PermissionLoan } from "./permission-loan.ts";

const MiB = 1024 * 1024;
/** Files up to this size are read synchronously at once, which is several times as fast. */
export const smallFileBytes = 256 * 1024;
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Returns the whole content of a small file. @throws WorkspaceChangedError unless it is a file of this size */
export function readSmallFile(path: string, place: string, sizeBytes: number, loan: PermissionLoan): Buffer {
  const restoreMode = loan.takeFile(place);
  const fd = opened(path, () => openSync(place, flags));
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size !== sizeBytes) throw new WorkspaceChangedError(path);
    const bytes = Buffer.allocUnsafe(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const got = readSync(fd, bytes, done, sizeBytes - done, done);
      if (got === 0) throw new WorkspaceChangedError(path);
      done += got;
    }
    return bytes;
  } finally {
    closeSync(fd);
    restoreMode();
  }
}

/** Returns a file's content in pieces of `pieceBytes`, each in its own buffer. @throws WorkspaceChangedError */
export async function* readPieces(
  path: string,
  place: string,
  sizeBytes: number,
  pieceBytes: number,
  loan: PermissionLoan,
): AsyncGenerator<Buffer> {
  const restoreMode = loan.takeFile(place);
  let handle: FileHandle;
  try {
    handle = await open(place, flags);
  } catch (cause) {
    restoreMode();
    throw new WorkspaceUnreadableError(path, { cause });
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile() || stat.size !== sizeBytes) throw new WorkspaceChangedError(path);
    for (let at = 0; at < sizeBytes; at += pieceBytes) {
      yield await readExactly(handle, path, at, Math.min(pieceBytes, sizeBytes - at));
    }
  } finally {
    await handle.close();
    restoreMode();
  }
}

/** Returns the sha256 of a file as lower-case hex. @throws WorkspaceChangedError unless it is a file of this size. */
export async function hashFile(path: string, place: string, sizeBytes: number, loan: PermissionLoan): Promise<string> {
  if (sizeBytes <= smallFileBytes) return hash("sha256", readSmallFile(path, place, sizeBytes, loan));
  if (sizeBytes > frameBytesMax) return await hashLargeFile({ path, place, sizeBytes, loan });
  const digest = createHash("sha256");
  for await (const piece of readPieces(path, place, sizeBytes, MiB, loan)) digest.update(piece);
  return digest.digest("hex");
}

async function readExactly(handle: FileHandle, path: string, at: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  for (let done = 0; done < sizeBytes;) {
    const { bytesRead } = await handle.read(bytes, done, sizeBytes - done, at + done);
    if (bytesRead === 0) throw new WorkspaceChangedError(path);
    done += bytesRead;
  }
  return bytes;
}

function opened<T>(path: string, open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw new WorkspaceUnreadableError(path, { cause });
  }
}
