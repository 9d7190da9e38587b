// The thread of write-threads.ts: runs one job after another and answers each. Each thread loads what this file
// imports, so it imports little.

import { parentPort } from "node:worker_threads";
import { checkChunks, type CheckJob } from "./check-chunks.ts";
import { errorCode, SnapshotDamagedError } from "../errors.ts";
import { writePieces, writePiecesOf, type WriteJob } from "./write-pieces.ts";

export type ThreadJob =
  | { readonly kind: "write"; readonly job: WriteJob; readonly bytes: Uint8Array }
  | { readonly kind: "write_from"; readonly job: WriteJob; readonly file: string }
  | { readonly kind: "check"; readonly job: CheckJob };

/** The result of a job. Threads cannot exchange error classes, so an error is sent as plain values. */
export interface ThreadAnswer {
  readonly damage?: string;
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

function answerTo(asked: ThreadJob): ThreadAnswer {
  try {
    if (asked.kind === "check") checkChunks(asked.job);
    else if (asked.kind === "write_from") writePiecesOf(asked.job, asked.file);
    else writePieces(asked.job, Buffer.from(asked.bytes.buffer, asked.bytes.byteOffset, asked.bytes.byteLength));
    return {};
  } catch (error) {
    if (error instanceof SnapshotDamagedError) return { damage: error.problem };
    return { error: { message: error instanceof Error ? error.message : String(error), code: errorCode(error) } };
  }
}

parentPort?.on("message", (job: ThreadJob) => parentPort?.postMessage(answerTo(job)));
