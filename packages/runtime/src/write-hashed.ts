// Writes a stream to a file and hashes it.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";

/**
 * Writes `source` to a new file and returns its size and SHA-256. `before` is called with each piece's bytes and the
 * total before the piece is written; if it throws, the writing ends. `mode`: of the file (default 0o600).
 */
export async function writeHashed(
  source: AsyncIterable<Uint8Array>,
  file: string,
  { before, mode = 0o600 }: { readonly before?: (bytes: number, total: number) => void; readonly mode?: number } = {},
): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const measured = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      sizeBytes += piece.byteLength;
      before?.(piece.byteLength, sizeBytes);
      hash.update(piece);
      yield piece;
    }
  };
  await pipeline(measured, createWriteStream(file, { flags: "wx", mode }));
  return { sizeBytes, sha256: hash.digest("hex") };
}
