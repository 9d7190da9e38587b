// Writes log lines to standard output, standard error or a file, in order, each once, without blocking. A line that
// cannot be written is lost; the program continues and ends normally whatever happened to the disk or the reader.

import { closeSync, fstatSync, openSync, write, writeSync } from "node:fs";

/** Bytes that wait for a slow reader. Lines beyond this limit are dropped. */
const waitingBytesMax = 16 * 1024 * 1024;
const retryMs = 10;
/** How long an ending program waits for a reader that does not read. Milliseconds. */
const lastWordsMs = 1_000;
/**
 * How long lines for a file are gathered, in milliseconds. Each write wakes another thread, which costs more than the
 * write. The exit of the process writes what waits; only a kill loses it.
 */
const gatherMs = 100;

export interface LogOutput {
  write(line: string): void;
}

export interface LogFile extends LogOutput {
  /** Writes what waits and closes the file. Later lines are dropped. */
  close(): Promise<void>;
}

/** Opens a file that only its owner can read, and adds lines at its end. */
export function openLogFile(file: string): LogFile {
  const fd = openSync(file, "a", 0o600);
  const waiting = createBacklog();
  const { next, end, written } = toFile(fd, waiting);
  process.once("exit", end);
  let isClosed = false;
  return {
    write(line) {
      if (!isClosed && waiting.add(Buffer.from(line))) next();
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await written();
      process.off("exit", end);
      end();
      closeSync(fd);
    },
  };
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
  /** Returns false, and drops the bytes, if too much is waiting. */
  add(bytes: Buffer): boolean;
  /** Removes and returns all waiting bytes. */
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
  /** Called when bytes wait. */
  next(): void;
  /** Writes the rest while the process exits, when callbacks no longer run. */
  end(): void;
}

/**
 * Writes at once as much as the reader accepts, so that no write is ever pending. A blocking write to a pipe, on any
 * thread, would keep the process from ending until the pipe is read.
 */
function toPipe(fd: 1 | 2, waiting: Backlog): Outlet {
  let piece: Buffer = Buffer.alloc(0);
  let retry: NodeJS.Timeout | undefined;
  /** Returns false if the reader accepts nothing now. */
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
function toFile(fd: number, waiting: Backlog): Outlet & { written(): Promise<void> } {
  let piece: Buffer = Buffer.alloc(0);
  let isWriting = false;
  let gathering: NodeJS.Timeout | undefined;
  let onWritten: (() => void) | undefined;
  const start = (): void => {
    if (piece.length === 0) piece = waiting.take();
    isWriting = piece.length > 0;
    if (isWriting) write(fd, piece, continueAfter);
    else onWritten?.();
  };
  const continueAfter = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    if (error?.code === "EAGAIN") return void setTimeout(start, retryMs);
    piece = error === null ? piece.subarray(bytes) : Buffer.alloc(0);
    start();
  };
  return {
    next() {
      if (isWriting || gathering !== undefined) return;
      gathering = setTimeout(() => {
        gathering = undefined;
        start();
      }, gatherMs);
      gathering.unref();
    },
    /** Resolves when no write is in progress. What still waits for its time is not written. */
    written() {
      clearTimeout(gathering);
      return isWriting ? new Promise((resolve) => (onWritten = resolve)) : Promise.resolve();
    },
    end() {
      const rest = waiting.take();
      if (rest.length === 0) return;
      // Does not repeat the write in progress: Node ends after its threads have. The rest follows it.
      if (isWriting) return write(fd, rest, () => undefined);
      try {
        writeSync(fd, rest);
      } catch {
        // There is nowhere left to report the failure.
      }
    },
  };
}

/** Node makes a pipe non-blocking when it opens the stream. */
function isPipe(fd: 1 | 2): boolean {
  try {
    const stats = fstatSync(fd);
    if (!stats.isFIFO() && !stats.isSocket()) return false;
  } catch {
    // The descriptor is closed, and whatever is written to it is lost.
    return false;
  }
  return (fd === 1 ? process.stdout : process.stderr).fd === fd;
}
