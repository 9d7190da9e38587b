// Reads the log file of `npm start`: its last lines, and what is added.

import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Environment } from "../config.ts";
import { CliError, exitCodes } from "../exit.ts";

const pollEveryMs = 500;
const pieceBytes = 64 * 1024;

/** Returns the path of the log: in `DARI_DATA_DIR`, beside `DARI_CONNECTION_FILE`, or in `.dari-data`. */
export function platformLogPath(environment: Environment): string {
  const { DARI_DATA_DIR: dataDir, DARI_CONNECTION_FILE: connection } = environment;
  const beside = connection === undefined || connection === "" ? ".dari-data" : dirname(connection);
  return join(dataDir === undefined || dataDir === "" ? beside : dataDir, "logs", "dari.log");
}

export interface PlatformLogOptions {
  /** How many of the last lines to read. */
  readonly lines: number;
  /** Waits for more lines, until the signal aborts. Continues if the file is truncated. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Reads whole lines. @throws CliError (exit code 4) if there is no such file */
export async function* readPlatformLog(path: string, options: PlatformLogOptions): AsyncGenerator<string> {
  const file = await openLog(path);
  try {
    yield* readLines(file, options);
  } finally {
    await file.close();
  }
}

async function* readLines(file: FileHandle, { lines, follow, signal }: PlatformLogOptions): AsyncGenerator<string> {
  let position = await findLastLines(file, lines);
  let rest = Buffer.alloc(0);
  for (;;) {
    const { size } = await file.stat();
    if (size < position) [position, rest] = [0, Buffer.alloc(0)];
    while (position < size) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(pieceBytes), 0, pieceBytes, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const end = rest.lastIndexOf(newline);
      if (end < 0) continue;
      yield* rest.subarray(0, end).toString().split("\n");
      rest = rest.subarray(end + 1);
    }
    if (!follow) return;
    await pause(pollEveryMs, undefined, { signal });
  }
}

const newline = 10;

async function openLog(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `cannot read the log of npm start: ${reason}\nRun this on its machine, in the directory of npm start, or set ` +
        "DARI_DATA_DIR. Other programs of the platform write their log to standard output.",
      exitCodes.notFound,
    );
  }
}

/** Returns where the last `count` lines begin. */
async function findLastLines(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  let left = count;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - pieceBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The last newline ends the last line.
      if (buffer[at] !== newline || start + at === size - 1) continue;
      left -= 1;
      if (left === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}
