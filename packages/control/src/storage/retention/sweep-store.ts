// Deletes objects that no row refers to: marked in one pass, deleted in a later one. Safe during running turns and
// uploads: young objects are skipped, and an object that is referred to again loses its mark.

import { objects } from "@dari/db";
import type { StorageContext } from "./storage-context.ts";

const hourMs = 3_600_000;

export interface SweepSettings {
  /** A younger object may belong to an unfinished upload or turn, in milliseconds. */
  readonly youngMs: number;
  /** From the mark to the deletion, in milliseconds. */
  readonly afterMs: number;
  /** A turn that started with an object that was deleted since ends within this time, in milliseconds. */
  readonly rememberMs: number;
  /** Objects per pass. */
  readonly perPass: number;
}

export const sweepDefaults: SweepSettings = {
  youngMs: 24 * hourMs,
  afterMs: hourMs,
  rememberMs: 48 * hourMs,
  perPass: 2_000,
};

export interface SweepCounts {
  readonly seen: number;
  readonly marked: number;
  readonly deleted: number;
}

const cursorName = "store";
const deletesMax = 500;

/** Runs one bounded pass: deletes what is due, then checks the next objects of the store. */
export async function sweepStore(
  context: StorageContext,
  settings: SweepSettings = sweepDefaults,
): Promise<SweepCounts> {
  const deleted = await deleteDue(context, settings);
  return { ...(await markNext(context, settings)), deleted };
}

// If the process dies here, the next pass deletes the remaining objects.
async function deleteDue({ db, blobs }: StorageContext, settings: SweepSettings): Promise<number> {
  const keys = await objects.scheduleMarkedForDeletion(db, { afterMs: settings.afterMs, limit: deletesMax });
  if (keys.length > 0) await blobs.delete(keys);
  await objects.recordDeletedObjects(db, keys, settings.rememberMs);
  return keys.length;
}

async function markNext(
  { db, blobs }: StorageContext,
  { youngMs, perPass }: SweepSettings,
): Promise<{ seen: number; marked: number }> {
  const oldest = Date.now() - youngMs;
  const old: { key: string; sizeBytes: number }[] = [];
  let seen = 0;
  let last: string | undefined;
  for await (const { key, sizeBytes, modifiedAt } of blobs.list("", await objects.findCursor(db, cursorName))) {
    if (modifiedAt.getTime() < oldest) old.push({ key, sizeBytes });
    last = key;
    if (++seen >= perPass) break;
  }
  const marked = await objects.markUnreferenced(db, old);
  // Move the cursor only after the marks are stored, so that a failed pass is repeated.
  await objects.setCursor(db, cursorName, seen >= perPass ? last : undefined);
  return { seen, marked };
}
