// The thread of large-files.ts: reads, hashes and compresses large files, at the priority of agents.

import { createHash, hash, type Hash } from "node:crypto";
import { closeSync, constants as flags, fstatSync, openSync, readSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { errorCode } from "../errors.ts";
import { chunkBytes, encodeFrameSync } from "../snapshot/frame.ts";

export type LargeFileJob = { readonly id: number } & (
  | { readonly kind: "open"; readonly place: string; readonly sizeBytes: number }
  /** Reads the next chunk and adds it to the file's hash; `next` also hashes the chunk itself. */
  | { readonly kind: "pass" | "next" }
  /** Compresses the last chunk that was read. */
  | { readonly kind: "encode" }
  | { readonly kind: "close" }
);

export interface LargeFileAnswer {
  readonly id: number;
  /** The hash of the chunk; after the last chunk, of the whole file. */
  readonly sha256?: string;
  readonly sizeBytes?: number;
  readonly encoded?: ReturnType<typeof encodeFrameSync>;
  /** Code `changed`: the path is not a file of the given size. */
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

interface OpenFile {
  readonly fd: number;
  readonly sizeBytes: number;
  readonly whole: Hash;
  at: number;
  /**
   * The chunk that `encode` compresses. One buffer per file, because other files are read before `encode` is requested.
   */
  buffer: Buffer | undefined;
  chunk: Buffer;
}

const files = new Map<number, OpenFile>();
/** The buffer for chunks that are only hashed. */
const passing = Buffer.allocUnsafeSlow(chunkBytes);
const nothing = Buffer.alloc(0);
const zeros = Buffer.alloc(chunkBytes);
let zerosHash: string | undefined;

function changed(): Error {
  return Object.assign(new Error("the file has changed"), { code: "changed" });
}

function openFile(place: string, sizeBytes: number): OpenFile {
  const fd = openSync(place, flags.O_RDONLY | flags.O_NOFOLLOW | flags.O_NONBLOCK);
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.size === sizeBytes) {
    return { fd, sizeBytes, whole: createHash("sha256"), at: 0, buffer: undefined, chunk: nothing };
  }
  closeSync(fd);
  throw changed();
}

function readChunk(file: OpenFile, buffer: Buffer): Buffer {
  const length = Math.min(chunkBytes, file.sizeBytes - file.at);
  const chunk = buffer.subarray(0, length);
  for (let done = 0; done < length;) {
    const got = readSync(file.fd, chunk, done, length - done, file.at + done);
    if (got === 0) throw changed();
    done += got;
  }
  file.at += length;
  file.whole.update(chunk);
  return chunk;
}

function hashOf(chunk: Buffer): string {
  // Holes are read as zeros. A sparse file can have thousands of such chunks, so their hash is computed once.
  if (!chunk.equals(zeros)) return hash("sha256", chunk);
  return (zerosHash ??= hash("sha256", zeros));
}

function answerTo(job: LargeFileJob): Omit<LargeFileAnswer, "id"> {
  if (job.kind === "open") {
    files.set(job.id, openFile(job.place, job.sizeBytes));
    return {};
  }
  const file = files.get(job.id);
  if (file === undefined) throw changed();
  if (job.kind === "close") {
    files.delete(job.id);
    closeSync(file.fd);
    return {};
  }
  if (job.kind === "encode") return { encoded: encodeFrameSync(file.chunk) };
  if (file.at === file.sizeBytes) return { sha256: file.whole.digest("hex") };
  if (job.kind === "pass") return { sizeBytes: readChunk(file, passing).length };
  file.chunk = readChunk(file, (file.buffer ??= Buffer.allocUnsafeSlow(Math.min(chunkBytes, file.sizeBytes))));
  return { sizeBytes: file.chunk.length, sha256: hashOf(file.chunk) };
}

/** Copies the bytes of an encoded chunk: a chunk that is stored unchanged would share the file's buffer. */
function ownBytes(answer: Omit<LargeFileAnswer, "id">): Omit<LargeFileAnswer, "id"> {
  const { encoded } = answer;
  return encoded === undefined ? answer : { encoded: { ...encoded, bytes: Uint8Array.from(encoded.bytes) } };
}

// On Linux each thread has its own priority. The id 0 means the calling thread.
setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);
parentPort?.on("message", (job: LargeFileJob) => {
  try {
    const answer = ownBytes(answerTo(job));
    const transfer = answer.encoded === undefined ? [] : [answer.encoded.bytes.buffer as ArrayBuffer];
    parentPort?.postMessage({ id: job.id, ...answer } satisfies LargeFileAnswer, transfer);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort?.postMessage({ id: job.id, error: { message, code: errorCode(error) } } satisfies LargeFileAnswer);
  }
});
