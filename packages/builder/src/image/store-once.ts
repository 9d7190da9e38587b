// Puts an object into the store unless one with this content is there.

import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { BlobStore } from "@dari/blobs";

/**
 * The key of an object with this content: one that is there, else a new one. `place` ends with the content's digest. No
 * key is ever written twice, so that whoever deletes an object that nothing named cannot meet a later one, however late
 * it does.
 */
export async function storeOnce(store: BlobStore, place: string, file: string): Promise<string> {
  const { size } = await stat(file);
  for await (const { key, sizeBytes } of store.list(place)) if (sizeBytes === size) return key;
  const key = `${place}-${randomUUID()}`;
  await store.put(key, createReadStream(file));
  return key;
}
