// The other side of write-threads.ts: does one job after another and answers each.

import { parentPort } from "node:worker_threads";
import { errorCode, SnapshotDamagedError } from "./errors.ts";
import { writePieces, type WriteJob } from "./write-pieces.ts";

export interface ThreadJob {
  readonly job: WriteJob;
  readonly bytes: Uint8Array;
}

/** An error as it crosses: classes do not. */
export interface ThreadAnswer {
  readonly damage?: string;
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

function answerTo({ job, bytes }: ThreadJob): ThreadAnswer {
  try {
    writePieces(job, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return {};
  } catch (error) {
    if (error instanceof SnapshotDamagedError) return { damage: error.problem };
    return { error: { message: error instanceof Error ? error.message : String(error), code: errorCode(error) } };
  }
}

parentPort?.on("message", (job: ThreadJob) => parentPort?.postMessage(answerTo(job)));
