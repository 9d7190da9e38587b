// Stores a tree as one object and records what it leans on, before anything names it.

import type { BlobStore } from "@dari/blobs";
import { objects, retryThroughOutage, type Database, type StoredObject } from "@dari/db";
import type { Log } from "@dari/domain";
import { save, type Saved, type SaveOptions } from "@dari/workspace";

export interface StoreContext {
  readonly db: Database;
  readonly blobs: BlobStore;
}

/** Given by a caller that prefers to wait for the database instead of storing the tree again. */
export interface Patience {
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
}

/**
 * Left alone, the object is unreferenced and swept. Throws also when contents that it would reference are being
 * deleted: the tree that it was made from is no longer anybody's, and is to be loaded again.
 */
export async function storeSnapshot(
  context: StoreContext,
  organizationId: string,
  change: Omit<SaveOptions, "store" | "keyPrefix">,
  patience?: Patience,
): Promise<Saved> {
  const saved = await save({ ...change, store: context.blobs, keyPrefix: snapshotPrefix(organizationId) });
  const record = (): Promise<void> => recordObject(context, organizationId, saved);
  await (patience === undefined ? record() : retryThroughOutage(patience, record, patience.signal));
  return saved;
}

export async function recordObject(context: StoreContext, organizationId: string, object: StoredObject): Promise<void> {
  if (await objects.recordIfKept(context.db, organizationId, object)) return;
  throw new Error(`object ${object.objectKey} leans on contents that are being deleted`);
}

export function snapshotPrefix(organizationId: string): string {
  return `${organizationId}/snapshots`;
}
