// Holds the body of a request until it is whole, for what must know it before the request is forwarded.

import type { IncomingMessage } from "node:http";

/** The bytes that requests hold together. */
export interface HeldBytes {
  count: number;
}

export interface HeldRequest {
  /** The whole body. Undefined if it has more bytes than can be held: then read the request as a stream. */
  readonly body: Buffer | undefined;
  /** Returns what the request holds to `held`. Call it once the request was forwarded. Idempotent. */
  release(): void;
}

/** What the requests of one sandbox can hold together, in bytes. */
export const heldBytesMax = 8 * 1024 ** 2;
/** What all requests of this process can hold together, in bytes. */
const processBytesMax = 512 * 1024 ** 2;
const heldByProcess: HeldBytes = { count: 0 };
const firstBytes = 16 * 1024;

/**
 * Resolves once the body is whole. If the requests that share `held` would hold more than `bytesMax`, resolves without
 * a body, and nothing of the stream is lost. Call it before any read. Rejects if the client leaves first.
 */
export function holdRequest(
  incoming: IncomingMessage,
  { bytesMax = heldBytesMax, held = { count: 0 } }: { readonly bytesMax?: number; readonly held?: HeldBytes } = {},
): Promise<HeldRequest> {
  const length = Number(incoming.headers["content-length"] ?? Infinity);
  // One buffer: each piece can have a single byte, and would take more memory in a list.
  let body = Buffer.alloc(0);
  let bytes = 0;
  let counted = 0;
  const release = (): void => count(0);
  /** Counts what the request holds from now on. */
  function count(next: number): void {
    held.count += next - counted;
    heldByProcess.count += next - counted;
    counted = next;
  }
  /** Makes room for a piece. Returns false if it cannot be held. */
  function grow(piece: number): boolean {
    if (bytes + piece <= body.length) return true;
    const most = Math.min(bytesMax - held.count, processBytesMax - heldByProcess.count) + counted;
    if (bytes + piece > most) return false;
    const next = Math.max(bytes + piece, Math.min(Math.max(2 * body.length, firstBytes), length, most));
    const larger = Buffer.allocUnsafeSlow(next);
    body.copy(larger, 0, 0, bytes);
    body = larger;
    count(next);
    return true;
  }
  if (Number.isFinite(length) && length > bytesMax - held.count) return Promise.resolve({ body: undefined, release });
  return new Promise((resolve, reject) => {
    function add(chunk: Buffer): void {
      if (grow(chunk.length)) {
        chunk.copy(body, bytes);
        bytes += chunk.length;
        return;
      }
      stop();
      incoming.pause();
      incoming.unshift(chunk);
      if (bytes > 0) incoming.unshift(body.subarray(0, bytes));
      resolve({ body: undefined, release });
    }
    function end(): void {
      stop();
      resolve({ body: body.subarray(0, bytes), release });
    }
    function leave(): void {
      stop();
      release();
      reject(new Error("the client left before its request was complete"));
    }
    function stop(): void {
      incoming.off("data", add).off("end", end).off("error", leave).off("close", leave);
    }
    incoming.on("data", add).once("end", end).once("error", leave).once("close", leave);
    if (incoming.destroyed) leave();
  });
}
