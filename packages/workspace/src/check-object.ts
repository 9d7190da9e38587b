// Reads a stored snapshot object to its end and checks every byte of it that a restore would use.

import type { BlobStore } from "@dari/blobs";
import { hash } from "node:crypto";
import { SnapshotDamagedError } from "./errors.ts";
import { decodeFrame, readObject } from "./frame.ts";
import { readManifest } from "./load-tree.ts";
import { planFetches } from "./restore-plan.ts";

/** Contents that lie in other objects are theirs. @throws SnapshotDamagedError */
export async function checkSnapshotObject(store: BlobStore, objectKey: string): Promise<void> {
  const { entries } = await readManifest(store, objectKey);
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
