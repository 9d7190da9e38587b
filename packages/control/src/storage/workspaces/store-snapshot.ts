// Stores a tree as one object and records the objects that it references, before a row refers to it.

import type { BlobStore } from "@dari/blobs";
import { objects, retryThroughOutage, type Database, type StoredObject } from "@dari/db";
import type { Log } from "@dari/domain";
import { save, type Saved, type SaveOptions } from "@dari/workspace";

export interface StoreContext {
  readonly db: Database;
  readonly blobs: BlobStore;
}

/** For a caller that prefers waiting for the database to storing the tree again. */
export interface StoreRetryOptions {
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
}

/**
 * An unused object is unreferenced and swept. Also throws if referenced contents are being deleted: the tree's snapshot
 * is gone, so load a current tree again.
 */
export async function storeSnapshot(
  context: StoreContext,
  organizationId: string,
  change: Omit<SaveOptions, "store" | "keyPrefix">,
  patience?: StoreRetryOptions,
): Promise<Saved> {
  const saved = await save({ ...change, store: context.blobs, keyPrefix: snapshotPrefix(organizationId) });
  const record = (): Promise<void> => recordObject(context, organizationId, saved);
  await (patience === undefined ? record() : retryThroughOutage(patience, record, patience.signal));
  return saved;
}

export async function recordObject(context: StoreContext, organizationId: string, object: StoredObject): Promise<void> {
  if (await objects.recordObjectIfReferencesKept(context.db, organizationId, object)) return;
  throw new Error(`object ${object.objectKey} refers to contents that are being deleted`);
}

export function snapshotPrefix(organizationId: string): string {
  return `${organizationId}/snapshots`;
}
