// Stores a value of a running attempt as an object, and the row that names it.

import type { BlobStore } from "@dari/blobs";
import { retryThroughOutage } from "@dari/control/context";
import { messageValues, quotaRefusalOf, type Claim, type Database } from "@dari/db";
import { newId, type Log } from "@dari/domain";

export interface ValueToStore {
  /** The id that an event of the attempt has. */
  readonly id: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface ValueContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly log: Log;
}

/** `refused`: the claim is superseded, or the session has a value with this id. */
export type StoredValue = "stored" | "over_quota" | "refused";

/** If the process dies between the object and its row, the sweep of the store deletes the object. */
export async function storeValue(
  context: ValueContext,
  claim: Claim & { readonly organizationId: string },
  { id, mediaType, bytes }: ValueToStore,
  signal: AbortSignal,
): Promise<StoredValue> {
  const { db, blobs } = context;
  const objectKey = `${claim.organizationId}/values/${newId("value")}`;
  const { sizeBytes, sha256 } = await blobs.put(objectKey, bytes);
  const row = { id, objectKey, mediaType, sizeBytes, sha256 };
  const outcome = await retryThroughOutage(context, () => record(db, claim, row), signal);
  if (outcome !== "stored") await blobs.delete([objectKey]);
  return outcome;
}

async function record(db: Database, claim: Claim, row: messageValues.ValueRow): Promise<StoredValue> {
  try {
    return (await messageValues.recordValueIfHeld(db, claim, row)) ? "stored" : "refused";
  } catch (error) {
    if (quotaRefusalOf(error)?.kind === "storage_bytes") return "over_quota";
    throw error;
  }
}
