// Brings an uploaded bundle onto this machine's disk, where it is read.

import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Control } from "../context.ts";

/** Writes the object to `file` and returns its SHA-256. @throws BlobNotFoundError */
export async function downloadBundle(control: Control, objectKey: string, file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(
    await control.blobs.get(objectKey),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(file, { mode: 0o600 }),
  );
  return hash.digest("hex");
}
