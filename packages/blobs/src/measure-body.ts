// Counts and hashes a body while it is read.

import { createHash } from "node:crypto";
import { BlobTooLargeError, type BlobBody, type PutResult } from "./blob-store.ts";

export interface MeasuredBody {
  /** The body's bytes, once. Throws BlobTooLargeError instead of the first piece that exceeds the limit. */
  readonly stream: AsyncGenerator<Uint8Array>;
  /** The size and hash so far; final when `stream` has ended. */
  result(): PutResult;
}

/** Wraps `body` to measure its size and sha256 and to enforce its limit. */
export function measureBody(key: string, body: BlobBody, maxBytes = Number.POSITIVE_INFINITY): MeasuredBody {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const piece of isBytes(body) ? [body] : body) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > maxBytes) throw new BlobTooLargeError(key, maxBytes);
      hash.update(piece);
      yield piece;
    }
  }
  return { stream: pass(), result: () => ({ sizeBytes, sha256: hash.digest("hex") }) };
}

export function isBytes(body: BlobBody): body is Uint8Array {
  return ArrayBuffer.isView(body);
}
