// Stores recorded answers as sealed objects, with the rows that name them, and reads them.

import { randomUUID } from "node:crypto";
import type { BlobStore } from "@dari/blobs";
import { retryThroughOutage, type SealContext, type Sealer } from "@dari/control/context";
import { recordedAnswers, type Claim, type Database, type RecordedAnswerRow } from "@dari/db";
import { recordedAnswerLimits, type Log } from "@dari/domain";

export interface AnswerContext {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly sealer: Sealer;
  readonly log: Log;
}

/** The turn that an answer belongs to. */
export interface AnswerOwner {
  readonly organizationId: string;
  readonly messageId: string;
}

/** Identifies an answer among those of its message. See `RecordedAnswerRow`. */
export type AnswerKey = Pick<RecordedAnswerRow, "digest" | "ordinal">;

/** `full`: the message has as many answers as it may have. `refused`: the claim is superseded. */
export type StoredAnswer = "stored" | "full" | "refused";

/**
 * Returns the key of a new object for an answer. It says nothing about the answer. A replaced answer has another
 * object.
 */
export function newAnswerObject(organizationId: string): string {
  return `${organizationId}/answers/${randomUUID()}`;
}

/**
 * If the process dies between the object and its row, the sweep of the store deletes the object. `beforeRow`: stores
 * what must be stored once a later attempt can get the answer.
 */
export async function storeRecordedAnswer(
  context: AnswerContext,
  claim: Claim & AnswerOwner,
  answer: AnswerKey & { readonly objectKey: string; readonly bytes: Buffer },
  { signal, beforeRow }: { readonly signal: AbortSignal; beforeRow(): Promise<void> },
): Promise<StoredAnswer> {
  const { db, blobs, sealer } = context;
  const { digest, ordinal, objectKey, bytes } = answer;
  const { sizeBytes } = await blobs.put(objectKey, sealer.sealBytes(bytes, sealOf(claim, answer)));
  await beforeRow();
  const row: RecordedAnswerRow = { digest, ordinal, objectKey, sizeBytes };
  const max = { rows: recordedAnswerLimits.rowsPerMessage, bytes: recordedAnswerLimits.bytesPerMessage };
  const record = () => recordedAnswers.recordAnswerIfHeld(db, claim, row, max);
  const outcome = await retryThroughOutage(context, record, signal);
  if (outcome !== "stored") await blobs.delete([objectKey]);
  return outcome;
}

/**
 * @throws Error if the object is missing, damaged, sealed under an unknown key, or not the one that was stored under
 *   this key for this message
 */
export async function readRecordedAnswer(
  { blobs, sealer }: Pick<AnswerContext, "blobs" | "sealer">,
  owner: AnswerOwner,
  answer: RecordedAnswerRow,
): Promise<Buffer> {
  // One byte more than was stored: a larger object does not open, and is not read as a whole.
  const sealed = await blobs.read(answer.objectKey, { start: 0, end: answer.sizeBytes });
  return sealer.openBytes(sealed, sealOf(owner, answer));
}

/** Binds an object to its message and request, so that it cannot be opened as the answer to another one. */
function sealOf({ organizationId, messageId }: AnswerOwner, { digest, ordinal }: AnswerKey): SealContext {
  return { organizationId, name: `recorded-answer ${messageId} ${digest} ${ordinal}` };
}
