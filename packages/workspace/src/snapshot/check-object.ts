// Reads a stored snapshot object to its end and checks every byte that a restore would use.

import type { BlobStore } from "@dari/blobs";
import { hash } from "node:crypto";
import { SnapshotDamagedError } from "../errors.ts";
import { chunkBytes, decodeFrame } from "./frame.ts";
import { isSquashfsKey, type SquashfsRef } from "./squashfs-image.ts";
import { readSnapshotManifest } from "./load-tree.ts";
import { readObject } from "./read-object.ts";
import { planFetches } from "./plan-fetches.ts";

/**
 * Checks the contents that the object itself contains. Contents in other objects are checked with those objects, and a
 * squashfs image with the snapshot that names it.
 * @throws SnapshotDamagedError
 */
export async function checkSnapshotObject(store: BlobStore, objectKey: string): Promise<void> {
  if (isSquashfsKey(objectKey)) return;
  const { entries, squashfs } = await readSnapshotManifest(store, objectKey);
  if (squashfs !== undefined) await checkSquashfs(store, squashfs);
  const own = entries.map((entry) => ({
    ...entry,
    location: (entry.location ?? []).filter(({ frame }) => frame.objectKey === objectKey),
  }));
  for (const fetch of planFetches(own)) {
    const bytes = await readObject(store, objectKey, fetch.offset, fetch.sizeBytes);
    for (const { frame, pieces } of fetch.frames) {
      const start = frame.offset - fetch.offset;
      const raw = await decodeFrame(frame, bytes.subarray(start, start + frame.storedBytes));
      for (const { entry, sha256, frameOffset, sizeBytes } of pieces) {
        if (hash("sha256", raw.subarray(frameOffset, frameOffset + sizeBytes)) === sha256) continue;
        throw new SnapshotDamagedError(objectKey, `the content of ${JSON.stringify(entry.path)} is not what was saved`);
      }
    }
  }
}

async function checkSquashfs(store: BlobStore, { objectKey, sizeBytes, chunks }: SquashfsRef): Promise<void> {
  for (const [index, sha256] of chunks.entries()) {
    const start = index * chunkBytes;
    const bytes = await readObject(store, objectKey, start, Math.min(chunkBytes, sizeBytes - start));
    if (hash("sha256", bytes) !== sha256) throw new SnapshotDamagedError(objectKey, "the image is not what was stored");
  }
}
