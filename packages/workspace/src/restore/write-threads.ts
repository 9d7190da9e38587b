// Threads that unpack, check and write, shared by all restores of the process. Threads start when there is enough work.
// They end after a while without work, because each holds 12 MB; the start of a thread takes 0.1 s, as long as an
// average restore. They do not keep the process alive.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SnapshotDamagedError } from "../errors.ts";
import type { CheckJob } from "./check-chunks.ts";
import { threadOptions } from "../directory/thread-options.ts";
import type { ThreadAnswer, ThreadJob } from "./write-thread.ts";
import { writePieces, type WriteJob } from "./write-pieces.ts";

const lanesMax = Math.min(4, availableParallelism());
/** A waiting sandbox is kept for the same time. */
const idleMs = 5 * 60_000;
/** Up to this size, writing is faster without a thread. */
const aloneBytesMax = 256 * 1024;

interface Lane {
  readonly thread: Worker;
  /** In the order of the thread's jobs. */
  readonly waiting: { resolve(answer: ThreadAnswer): void; reject(error: Error): void }[];
}

const lanes = new Set<Lane>();
let idle: NodeJS.Timeout | undefined;

/**
 * Writes the contents of `bytes`. The caller must not use `bytes` afterwards.
 * @throws SnapshotDamagedError, or the disk's error.
 */
export async function writeInThread(job: WriteJob, bytes: Buffer): Promise<void> {
  if (!shouldUseThread(bytes.length)) return writePieces(job, bytes);
  await run({ kind: "write", job, bytes }, ownsMemory(bytes) ? [bytes.buffer as ArrayBuffer] : []);
}

/**
 * Writes like `writeInThread`, for an object that is the local file `file`: the thread reads it.
 * @throws SnapshotDamagedError, or the disk's error.
 */
export async function writeFromFile(job: WriteJob, file: string): Promise<void> {
  await run({ kind: "write_from", job, file }, []);
}

/** Returns whether this many stored bytes are worth a thread. */
export function shouldUseThread(storedBytes: number): boolean {
  return storedBytes > aloneBytesMax;
}

/** Checks the contents of a file. @throws SnapshotDamagedError, or the disk's error. */
export async function checkInThread(job: CheckJob): Promise<void> {
  await run({ kind: "check", job }, []);
}

async function run(asked: ThreadJob, transfer: ArrayBuffer[]): Promise<void> {
  const answer = await send(freeLane(), asked, transfer);
  if (answer.damage !== undefined) throw new SnapshotDamagedError(asked.job.objectKey, answer.damage);
  if (answer.error === undefined) return;
  throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
}

// Returns whether the buffer has its own memory, which can be moved to a thread. Small buffers share their memory.
function ownsMemory({ buffer, byteLength }: Buffer): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}

function freeLane(): Lane {
  let best: Lane | undefined;
  for (const lane of lanes) if (best === undefined || lane.waiting.length < best.waiting.length) best = lane;
  const isFull = lanes.size >= lanesMax;
  return best !== undefined && (best.waiting.length === 0 || isFull) ? best : openLane();
}

function openLane(): Lane {
  const thread = new Worker(new URL("./write-thread.ts", import.meta.url), threadOptions());
  const lane: Lane = { thread, waiting: [] };
  const fail = (cause: unknown): void => {
    lanes.delete(lane);
    const error = new Error("a thread that writes workspaces has ended", { cause });
    for (const one of lane.waiting.splice(0)) one.reject(error);
  };
  thread.on("message", (answer: ThreadAnswer) => lane.waiting.shift()?.resolve(answer));
  thread.on("error", fail);
  thread.on("exit", (code) => fail(new Error(`status ${code}`)));
  thread.unref();
  lanes.add(lane);
  return lane;
}

async function send(lane: Lane, job: ThreadJob, transfer: ArrayBuffer[]): Promise<ThreadAnswer> {
  clearTimeout(idle);
  const answer = new Promise<ThreadAnswer>((resolve, reject) => lane.waiting.push({ resolve, reject }));
  // While a caller waits for the answer, the thread keeps the process alive.
  lane.thread.ref();
  lane.thread.postMessage(job, transfer);
  try {
    return await answer;
  } finally {
    if (lane.waiting.length === 0) lane.thread.unref();
    endWhenIdle();
  }
}

function endWhenIdle(): void {
  if ([...lanes].some(({ waiting }) => waiting.length > 0)) return;
  clearTimeout(idle);
  idle = setTimeout(endAll, idleMs).unref();
}

function endAll(): void {
  for (const lane of lanes) void lane.thread.terminate();
  lanes.clear();
}
