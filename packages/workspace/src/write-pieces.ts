// One fetch's stored bytes as files: decompressed, checked, written. Synchronous, and takes plain values only, so that
// a thread can do it. Trusts neither the bytes nor what is on the disk already.

import { hash } from "node:crypto";
import { closeSync, constants, fchmodSync, openSync, writeSync } from "node:fs";
import { SnapshotDamagedError } from "./errors.ts";
import { decodeFrameSync } from "./frame.ts";
import { PermissionLoan } from "./permission-loan.ts";
import type { Fetch, WantedFrame } from "./restore-plan.ts";
import type { Frame } from "./tree.ts";

export interface WriteJob {
  readonly dir: string;
  readonly objectKey: string;
  readonly frames: readonly FrameJob[];
}

interface FrameJob extends Omit<Frame, "objectKey"> {
  /** Where it begins in the fetched bytes. */
  readonly start: number;
  readonly pieces: readonly PieceJob[];
}

interface PieceJob {
  readonly path: string;
  /** Undefined for a piece of a file that was made before, with its mode. */
  readonly mode: number | undefined;
  readonly sha256: string;
  readonly frameOffset: number;
  readonly fileOffset: number;
  readonly sizeBytes: number;
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
/** A file is made anew, and never through a symlink. */
export const createFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const rewriteFlags = O_WRONLY | O_NOFOLLOW;

/** What a thread needs to know of a fetch. @throws SnapshotDamagedError when the tree names another content. */
export function writeJobOf(fetch: Fetch, dir: string): WriteJob {
  const { objectKey, offset } = fetch;
  return { dir, objectKey, frames: fetch.frames.map((wanted) => frameJobOf(wanted, offset, objectKey)) };
}

function frameJobOf({ frame, pieces }: WantedFrame, fetchOffset: number, objectKey: string): FrameJob {
  const { offset, storedBytes, sizeBytes, codec } = frame;
  const jobs = pieces.map((piece): PieceJob => {
    const { entry, sha256, frameOffset, fileOffset } = piece;
    const isWhole = entry.location?.length === 1;
    if (isWhole && (piece.sizeBytes !== entry.sizeBytes || sha256 !== entry.sha256)) {
      throw new SnapshotDamagedError(objectKey, `the place of ${JSON.stringify(entry.path)} holds another content`);
    }
    const mode = isWhole ? entry.mode : undefined;
    return { path: entry.path, mode, sha256, frameOffset, fileOffset, sizeBytes: piece.sizeBytes };
  });
  return { offset, storedBytes, sizeBytes, codec, start: offset - fetchOffset, pieces: jobs };
}

/** @throws SnapshotDamagedError, and what the disk says. */
export function writePieces({ dir, objectKey, frames }: WriteJob, bytes: Buffer): void {
  // What the mask takes from a new file's mode is put back; for nearly all files that is nothing.
  const mask = process.umask();
  for (const { start, pieces, ...frame } of frames) {
    const stored = bytes.subarray(start, start + frame.storedBytes);
    const raw = decodeFrameSync({ ...frame, objectKey }, stored);
    for (const piece of pieces) writePiece(piece, raw, { dir, objectKey, mask });
  }
}

function writePiece(piece: PieceJob, raw: Buffer, job: { dir: string; objectKey: string; mask: number }): void {
  const { path, mode, sha256, frameOffset, fileOffset, sizeBytes } = piece;
  const bytes = raw.subarray(frameOffset, frameOffset + sizeBytes);
  if (bytes.length !== sizeBytes || hash("sha256", bytes) !== sha256) {
    throw new SnapshotDamagedError(job.objectKey, `the content of ${JSON.stringify(path)} is not what was saved`);
  }
  const place = `${job.dir}/${path}`;
  if (mode === undefined) return rewritePiece(place, bytes, fileOffset);
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
