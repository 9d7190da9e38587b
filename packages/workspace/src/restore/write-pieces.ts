// Writes the pieces of one fetch to files: decompresses, checks, writes. Synchronous and with plain values, so that it
// can run in a thread. Trusts neither the bytes nor what is already on the disk.

import { hash } from "node:crypto";
import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import { SnapshotDamagedError } from "../errors.ts";
import { decodeFrameSync } from "../snapshot/frame.ts";
import { withObjectFile } from "./object-file.ts";
import { PermissionLoan } from "../directory/permission-loan.ts";
import type { FrameFetch, WantedFrame } from "../snapshot/plan-fetches.ts";
import type { Frame } from "../tree/tree.ts";

export interface WriteJob {
  readonly dir: string;
  readonly objectKey: string;
  readonly frames: readonly FrameJob[];
}

interface FrameJob extends Omit<Frame, "objectKey"> {
  /** Start of the frame in the fetched bytes. */
  readonly start: number;
  readonly pieces: readonly PieceJob[];
}

/** One piece to write. A tuple, because the member names of an object would take most of the message to the thread. */
type PieceJob = readonly [
  path: string,
  /** -1 for a piece of a file that was created before, with its mode. */
  mode: number,
  sha256: string,
  frameOffset: number,
  fileOffset: number,
  sizeBytes: number,
];

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** Always creates a new file, never through a symlink. */
export const createFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const rewriteFlags = O_WRONLY | O_NOFOLLOW;

/** Returns the job for a thread that writes a fetch. @throws SnapshotDamagedError if the tree names other content. */
export function writeJobOf(fetch: FrameFetch, dir: string): WriteJob {
  const { objectKey, offset } = fetch;
  return { dir, objectKey, frames: fetch.frames.map((wanted) => frameJobOf(wanted, offset, objectKey)) };
}

function frameJobOf({ frame, pieces }: WantedFrame, fetchOffset: number, objectKey: string): FrameJob {
  const { objectKey: _, ...rest } = frame;
  const jobs = pieces.map((piece): PieceJob => {
    const { entry, sha256, frameOffset, fileOffset } = piece;
    const isWhole = entry.location?.length === 1;
    if (isWhole && (piece.sizeBytes !== entry.sizeBytes || sha256 !== entry.sha256)) {
      throw new SnapshotDamagedError(objectKey, `the location of ${JSON.stringify(entry.path)} has other content`);
    }
    return [entry.path, isWhole ? entry.mode : -1, sha256, frameOffset, fileOffset, piece.sizeBytes];
  });
  return { ...rest, start: frame.offset - fetchOffset, pieces: jobs };
}

/** Writes the pieces of a fetch. @throws SnapshotDamagedError, or the disk's error */
export function writePieces(job: WriteJob, bytes: Buffer): void {
  writeFrames(job, ({ start, storedBytes }) => bytes.subarray(start, start + storedBytes));
}

/** Writes like `writePieces`, for an object that is a local file. @throws SnapshotDamagedError, or the disk's error. */
export function writePiecesOf(job: WriteJob, file: string): void {
  withObjectFile(file, job.objectKey, (read) =>
    writeFrames(job, ({ offset, storedBytes }) => read(offset, storedBytes)),
  );
}

function writeFrames({ dir, objectKey, frames }: WriteJob, storedOf: (frame: FrameJob) => Buffer): void {
  // The umask can remove mode bits of a new file. If it does, restore them.
  const mask = process.umask();
  for (const frame of frames) {
    const raw = decodeFrameSync({ ...frame, objectKey }, storedOf(frame));
    // If the stored bytes match their hash, the content is right. Otherwise each piece is checked.
    const isChecked = frame.sha256 !== undefined;
    for (const piece of frame.pieces) writePiece(piece, raw, { dir, objectKey, mask, isChecked });
  }
}

interface PlaceOfPieces {
  readonly dir: string;
  readonly objectKey: string;
  readonly mask: number;
  readonly isChecked: boolean;
}

function writePiece(piece: PieceJob, raw: Buffer, job: PlaceOfPieces): void {
  const [path, mode, sha256, frameOffset, fileOffset, sizeBytes] = piece;
  const bytes = raw.subarray(frameOffset, frameOffset + sizeBytes);
  if (bytes.length !== sizeBytes || (!job.isChecked && hash("sha256", bytes) !== sha256)) {
    throw new SnapshotDamagedError(job.objectKey, `the content of ${JSON.stringify(path)} is not what was saved`);
  }
  const place = `${job.dir}/${path}`;
  if (mode < 0) return rewritePiece(place, bytes, fileOffset);
  const fd = openSync(place, createFlags, mode);
  try {
    writeAll(fd, bytes, fileOffset);
    if ((mode & job.mask) !== 0) fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

function rewritePiece(place: string, bytes: Buffer, fileOffset: number): void {
  using loan = new PermissionLoan();
  loan.takeForWriting(place);
  const fd = openSync(place, rewriteFlags);
  try {
    writeAll(fd, bytes, fileOffset);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer, fileOffset: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, fileOffset + done);
  }
}
