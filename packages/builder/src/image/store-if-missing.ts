// Stores an object unless one with this content exists.

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { BlobStore } from "@dari/blobs";

/**
 * Returns the key of an existing object with this content, otherwise of a new one. `place` ends with the content's
 * digest. No key is ever written twice, so a late deletion of an unused object cannot delete a newer one.
 */
export async function storeIfMissing(store: BlobStore, place: string, file: string): Promise<string> {
  const { size } = await stat(file);
  for await (const { key, sizeBytes } of store.list(place)) if (sizeBytes === size) return key;
  const key = `${place}-${randomUUID()}`;
  await store.put(key, createReadStream(file));
  return key;
}
