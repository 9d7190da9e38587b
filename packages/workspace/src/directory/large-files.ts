// Hashes and packs large files in low-priority threads, so that saving a turn does not block the event loop or delay
// other turns. The caller reads files that fit into one frame itself.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { WorkspaceChangedError, WorkspaceUnreadableError } from "../errors.ts";
import type { encodeFrameSync } from "../snapshot/frame.ts";
import type { LargeFileAnswer, LargeFileJob } from "./large-file-thread.ts";
import type { PermissionLoan } from "./permission-loan.ts";
import { threadOptions } from "./thread-options.ts";

export interface FileToRead {
  readonly path: string;
  readonly place: string;
  readonly sizeBytes: number;
  readonly loan: PermissionLoan;
}

export interface Chunk {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Returns the chunk as a frame. Call it at most once, before the next chunk. */
  encode(): Promise<ReturnType<typeof encodeFrameSync>>;
}

interface Lane {
  readonly thread: Worker;
  readonly waiting: Map<number, { resolve(answer: LargeFileAnswer): void; reject(error: Error): void }>;
  files: number;
}

/** Maximum number of threads: saving ended turns uses at most half of the processors. */
const lanesMax = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
const idleMs = 30_000;

const lanes = new Set<Lane>();
let idle: NodeJS.Timeout | undefined;
let lastId = 0;

/** Returns the sha256 of a large file as lower-case hex. @throws WorkspaceChangedError if it has another size */
export async function hashLargeFile(file: FileToRead): Promise<string> {
  return await withOpenFile(file, async (ask) => {
    // Ask for one chunk at a time, so that files that share a thread take turns.
    for (;;) {
      const { sha256 = "", sizeBytes } = await ask("pass");
      if (sizeBytes === undefined) return sha256;
    }
  });
}

/**
 * Calls `onChunk` for each chunk of a large file, in order. Returns the sha256 of the whole file.
 * @throws WorkspaceChangedError unless it is a file of this size
 */
export async function readChunks(file: FileToRead, onChunk: (chunk: Chunk) => Promise<void>): Promise<string> {
  return await withOpenFile(file, async (ask) => {
    for (;;) {
      const { sha256 = "", sizeBytes } = await ask("next");
      if (sizeBytes === undefined) return sha256;
      await onChunk({ sha256, sizeBytes, encode: async () => (await ask("encode")).encoded! });
    }
  });
}

type Ask = (kind: "pass" | "next" | "encode") => Promise<LargeFileAnswer>;

async function withOpenFile(file: FileToRead, work: (ask: Ask) => Promise<string>): Promise<string> {
  const { path, place, sizeBytes, loan } = file;
  const id = ++lastId;
  const lane = takeLane();
  try {
    const restoreMode = loan.takeFile(place);
    try {
      await send(lane, path, { id, kind: "open", place, sizeBytes });
    } finally {
      restoreMode();
    }
    try {
      return await work((kind) => send(lane, path, { id, kind }));
    } finally {
      await send(lane, path, { id, kind: "close" });
    }
  } finally {
    releaseLane(lane);
  }
}

async function send(lane: Lane, path: string, job: LargeFileJob): Promise<LargeFileAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<LargeFileAnswer>();
  lane.waiting.set(job.id, { resolve, reject });
  lane.thread.postMessage(job);
  const answer = await promise;
  if (answer.error === undefined) return answer;
  if (answer.error.code === "changed") throw new WorkspaceChangedError(path);
  throw new WorkspaceUnreadableError(path, { cause: new Error(answer.error.message) });
}

function takeLane(): Lane {
  clearTimeout(idle);
  let best: Lane | undefined;
  for (const lane of lanes) if (best === undefined || lane.files < best.files) best = lane;
  const lane = best !== undefined && (best.files === 0 || lanes.size >= lanesMax) ? best : openLane();
  lane.files++;
  // While a file is read, the thread keeps the process alive.
  lane.thread.ref();
  return lane;
}

function releaseLane(lane: Lane): void {
  lane.files--;
  if (lane.files === 0) lane.thread.unref();
  if ([...lanes].some(({ files }) => files > 0)) return;
  clearTimeout(idle);
  idle = setTimeout(endAll, idleMs).unref();
}

function openLane(): Lane {
  const thread = new Worker(new URL("./large-file-thread.ts", import.meta.url), threadOptions());
  const lane: Lane = { thread, waiting: new Map(), files: 0 };
  const fail = (cause: unknown): void => {
    lanes.delete(lane);
    const error = new Error("a thread that reads large files has ended", { cause });
    for (const one of lane.waiting.values()) one.reject(error);
    lane.waiting.clear();
  };
  thread.on("message", (answer: LargeFileAnswer) => {
    const one = lane.waiting.get(answer.id);
    lane.waiting.delete(answer.id);
    one?.resolve(answer);
  });
  thread.on("error", fail);
  thread.on("exit", (code) => fail(new Error(`status ${code}`)));
  thread.unref();
  lanes.add(lane);
  return lane;
}

function endAll(): void {
  for (const lane of lanes) void lane.thread.terminate();
  lanes.clear();
}
