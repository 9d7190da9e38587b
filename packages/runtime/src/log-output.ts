// Where log lines go: standard output or error, in order, each once, without waiting for it. A line that cannot be
// written is lost; the program that wrote it lives on and ends, whatever became of the disk or the reader.

import { fstatSync, write, writeSync } from "node:fs";

/** Bytes that wait for a slow reader; what comes after them is dropped. */
const waitingBytesMax = 16 * 1024 * 1024;
const retryMs = 10;
/** How long a program that ends waits for a reader that does not read. Milliseconds. */
const lastWordsMs = 1_000;

export interface LogOutput {
  write(line: string): void;
}

export function openLogOutput(fd: 1 | 2): LogOutput {
  const waiting = createBacklog();
  const { next, end } = isPipe(fd) ? toPipe(fd, waiting) : toFile(fd, waiting);
  process.once("exit", end);
  return {
    write(line) {
      if (waiting.add(Buffer.from(line))) next();
    },
  };
}

interface Backlog {
  /** False, and dropped, when too much waits. */
  add(bytes: Buffer): boolean;
  /** Everything that waits, which then waits no longer. */
  take(): Buffer;
}

function createBacklog(): Backlog {
  let pieces: Buffer[] = [];
  let size = 0;
  return {
    add(bytes) {
      if (size + bytes.length > waitingBytesMax) return false;
      pieces.push(bytes);
      size += bytes.length;
      return true;
    },
    take() {
      const all = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      pieces = [];
      size = 0;
      return all;
    },
  };
}

interface Outlet {
  /** Something waits. */
  next(): void;
  /** The last words, as the process exits: no callback comes any more. */
  end(): void;
}

/**
 * Written at once as far as the reader leaves room, so that nothing is ever half on its way. Writing to a pipe that
 * blocks, on whatever thread, would keep the process from ending for as long as nobody reads.
 */
function toPipe(fd: 1 | 2, waiting: Backlog): Outlet {
  let piece: Buffer = Buffer.alloc(0);
  let retry: NodeJS.Timeout | undefined;
  /** False when the reader has no room now. */
  const drain = (): boolean => {
    for (;;) {
      if (piece.length === 0) piece = waiting.take();
      if (piece.length === 0) return true;
      try {
        piece = piece.subarray(writeSync(fd, piece));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
        piece = Buffer.alloc(0);
      }
    }
  };
  const next = (): void => {
    if (retry !== undefined || drain()) return;
    retry = setTimeout(() => {
      retry = undefined;
      next();
    }, retryMs);
    retry.unref();
  };
  return {
    next,
    end() {
      const pause = new Int32Array(new SharedArrayBuffer(4));
      const until = performance.now() + lastWordsMs;
      while (!drain() && performance.now() < until) Atomics.wait(pause, 0, 0, retryMs);
    },
  };
}

/** Writes to a file in another thread, because a slow disk blocks the writer. */
function toFile(fd: 1 | 2, waiting: Backlog): Outlet {
  let piece: Buffer = Buffer.alloc(0);
  let isWriting = false;
  const start = (): void => {
    if (piece.length === 0) piece = waiting.take();
    isWriting = piece.length > 0;
    if (isWriting) write(fd, piece, written);
  };
  const written = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    if (error?.code === "EAGAIN") return void setTimeout(start, retryMs);
    piece = error === null ? piece.subarray(bytes) : Buffer.alloc(0);
    start();
  };
  return {
    next() {
      if (!isWriting) start();
    },
    end() {
      const rest = waiting.take();
      if (rest.length === 0) return;
      // What is being written is not written again: Node ends after its threads have. The rest stands behind it.
      if (isWriting) return write(fd, rest, () => undefined);
      try {
        writeSync(fd, rest);
      } catch {
        // There is nobody left to tell.
      }
    },
  };
}

/** Where it is one, nothing that is written to it blocks any more: Node sees to that when it opens the stream. */
function isPipe(fd: 1 | 2): boolean {
  try {
    const stats = fstatSync(fd);
    if (!stats.isFIFO() && !stats.isSocket()) return false;
  } catch {
    // It is closed, and whatever is written to it lost.
    return false;
  }
  return (fd === 1 ? process.stdout : process.stderr).fd === fd;
}
