// Where log lines go: a file descriptor, in order, without waiting for it. A line that cannot be written is lost; the
// program that wrote it lives on and ends, whatever became of the disk under its log.

import { write, writeSync } from "node:fs";

/** Bytes that wait for a slow reader; what comes after them is dropped. */
const waitingBytesMax = 16 * 1024 * 1024;
const retryMs = 10;

export interface LogOutput {
  write(line: string): void;
}

export function openLogOutput(fd: number): LogOutput {
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let isWriting = false;
  let piece: Buffer = Buffer.alloc(0);

  const next = (): void => {
    if (piece.length === 0) {
      piece = Buffer.concat(waiting);
      waiting = [];
      waitingBytes = 0;
    }
    isWriting = piece.length > 0;
    if (isWriting) write(fd, piece, written);
  };
  const written = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    if (error?.code === "EAGAIN") return void setTimeout(next, retryMs);
    piece = error === null ? piece.subarray(bytes) : Buffer.alloc(0);
    next();
  };
  process.once("exit", () => {
    // What is being written may come twice; that is better than a last word that never comes.
    const rest = Buffer.concat([piece, ...waiting]);
    try {
      for (let at = 0; at < rest.length;) at += writeSync(fd, rest, at);
    } catch {
      // There is nobody left to tell.
    }
  });
  return {
    write(line) {
      const bytes = Buffer.from(line);
      if (waitingBytes + bytes.length > waitingBytesMax) return;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (!isWriting) next();
    },
  };
}
