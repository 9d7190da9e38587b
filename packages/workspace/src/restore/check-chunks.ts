// Checks whether a file on disk consists of the given chunks. Synchronous and with plain values, so that it can run in
// a thread.

import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { SnapshotDamagedError } from "../errors.ts";

export interface CheckJob {
  readonly file: string;
  /** The object that the file is a copy of. */
  readonly objectKey: string;
  readonly chunks: readonly { readonly offset: number; readonly sizeBytes: number; readonly sha256: string }[];
}

/** Small enough to be still in the processor's cache when it is hashed. */
const pieceBytes = 256 * 1024;

/** Checks the file. @throws SnapshotDamagedError, or the disk's error */
export function checkChunks({ file, objectKey, chunks }: CheckJob): void {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  const buffer = Buffer.allocUnsafeSlow(pieceBytes);
  try {
    for (const { offset, sizeBytes, sha256 } of chunks) {
      const digest = createHash("sha256");
      for (let done = 0; done < sizeBytes;) {
        const got = readSync(fd, buffer, 0, Math.min(pieceBytes, sizeBytes - done), offset + done);
        if (got === 0) throw new SnapshotDamagedError(objectKey, "it is too short");
        digest.update(got === pieceBytes ? buffer : buffer.subarray(0, got));
        done += got;
      }
      if (digest.digest("hex") !== sha256) {
        throw new SnapshotDamagedError(objectKey, `its bytes from ${offset} are not what was stored`);
      }
    }
  } finally {
    closeSync(fd);
  }
}
