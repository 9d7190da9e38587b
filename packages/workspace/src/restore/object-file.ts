// Reads an object that is a local file, synchronously, for threads.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { errorCode, SnapshotDamagedError } from "../errors.ts";

/** Maximum size of the reused buffer. Larger reads get a buffer of their own. */
const keptBytesMax = 1024 * 1024;
let kept: Buffer | undefined;

/**
 * Opens the file for `work`. `read` returns bytes that are valid until its next call, and at the end of the file fewer
 * bytes than requested.
 */
export function withObjectFile(
  file: string,
  objectKey: string,
  work: (read: (offset: number, sizeBytes: number) => Buffer) => void,
): void {
  const fd = openObject(file, objectKey);
  try {
    work((offset, sizeBytes) => {
      const bytes = bufferOf(sizeBytes);
      let done = 0;
      while (done < sizeBytes) {
        const got = readSync(fd, bytes, done, sizeBytes - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    });
  } finally {
    closeSync(fd);
  }
}

function openObject(file: string, objectKey: string): number {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY);
  } catch (cause) {
    const code = errorCode(cause);
    if (code !== "ENOENT" && code !== "ENOTDIR") throw cause;
    throw new SnapshotDamagedError(objectKey, "it is missing", { cause });
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new SnapshotDamagedError(objectKey, "it is missing");
}

/** Returns a buffer that the next call may overwrite. */
function bufferOf(sizeBytes: number): Buffer {
  if (sizeBytes > keptBytesMax) return Buffer.allocUnsafeSlow(sizeBytes);
  kept ??= Buffer.allocUnsafeSlow(keptBytesMax);
  return kept.subarray(0, sizeBytes);
}
