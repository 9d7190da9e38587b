// Threads that unpack and write, shared by all restores of the process: begun when there is much to do, ended when
// there was nothing to do for a while. They keep no process alive.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SnapshotDamagedError } from "./errors.ts";
import type { ThreadAnswer, ThreadJob } from "./write-thread.ts";
import { writePieces, type WriteJob } from "./write-pieces.ts";

const threadsMax = 4;
const idleMs = 30_000;
/** Less than this is written sooner than a thread has heard of it. */
const aloneBytesMax = 256 * 1024;

interface Lane {
  readonly thread: Worker;
  /** In the order of their jobs. */
  readonly waiting: { resolve(answer: ThreadAnswer): void; reject(error: Error): void }[];
}

const lanes = new Set<Lane>();
let idle: NodeJS.Timeout | undefined;

/**
 * Writes what `bytes` hold, which are the thread's from then on.
 * @throws SnapshotDamagedError, and what the disk says.
 */
export async function writeInThread(job: WriteJob, bytes: Buffer): Promise<void> {
  if (bytes.length <= aloneBytesMax) return writePieces(job, bytes);
  const answer = await send(freeLane(), { job, bytes }, isAlone(bytes) ? [bytes.buffer as ArrayBuffer] : []);
  if (answer.damage !== undefined) throw new SnapshotDamagedError(job.objectKey, answer.damage);
  if (answer.error === undefined) return;
  throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
}

// Small buffers share their memory with others.
function isAlone({ buffer, byteLength }: Buffer): boolean {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
}

function freeLane(): Lane {
  let best: Lane | undefined;
  for (const lane of lanes) if (best === undefined || lane.waiting.length < best.waiting.length) best = lane;
  const isFull = lanes.size >= Math.min(threadsMax, availableParallelism());
  return best !== undefined && (best.waiting.length === 0 || isFull) ? best : openLane();
}

function openLane(): Lane {
  const thread = new Worker(new URL("./write-thread.ts", import.meta.url), { env: {}, execArgv: [] });
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
  // While somebody waits for it the thread counts as work of the process.
  lane.thread.ref();
  lane.thread.postMessage(job, transfer);
  try {
    return await answer;
  } finally {
    if (lane.waiting.length === 0) lane.thread.unref();
    if ([...lanes].every(({ waiting }) => waiting.length === 0)) idle = setTimeout(endAll, idleMs).unref();
  }
}

function endAll(): void {
  for (const lane of lanes) void lane.thread.terminate();
  lanes.clear();
}
