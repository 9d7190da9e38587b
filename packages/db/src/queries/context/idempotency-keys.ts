// Idempotency keys: which call created which resource. Calls without a key whose client got no answer are here as well:
// their key is what they created.

import { sql } from "kysely";
import type { Database } from "../../database.ts";

/** A key is unique within this. */
export interface IdempotencyScope {
  readonly organizationId: string;
  readonly method: string;
  /** With its parameters filled in. */
  readonly path: string;
  readonly key: string;
}

export interface NewKey {
  readonly fingerprint: string;
  /** The id of what the call creates, if it is known before. */
  readonly resourceId?: string | undefined;
  /** The status of the reply if the call creates its resource. */
  readonly status: number;
}

/**
 * Takes a key. Returns false if it was taken before. If another transaction is taking it, waits for its end: false
 * after a commit, true after a rollback (primary key).
 */
export async function insertIdempotencyKeyIfNew(
  db: Database,
  scope: IdempotencyScope,
  { fingerprint, resourceId, status }: NewKey,
): Promise<boolean> {
  const row = await db.kysely
    .insertInto("idempotency_keys")
    .values({ ...columnsOf(scope), fingerprint, status, ...(resourceId && { resource_id: resourceId }) })
    .onConflict((conflict) => conflict.doNothing())
    .returning("key")
    .executeTakeFirst();
  return row !== undefined;
}

/** Stores what the call with the key created. Runs in the transaction that took the key. */
export async function setIdempotencyKeyResource(
  db: Database,
  scope: IdempotencyScope,
  resourceId: string,
): Promise<void> {
  await db.kysely
    .updateTable("idempotency_keys")
    .set({ resource_id: resourceId })
    .where((eb) => eb.and(columnsOf(scope)))
    .execute();
}

/** Finds an idempotency key by primary key. */
export async function findIdempotencyKey(
  db: Database,
  scope: IdempotencyScope,
): Promise<{ fingerprint: string; resourceId: string; status: number } | undefined> {
  return db.kysely
    .selectFrom("idempotency_keys")
    .where((eb) => eb.and(columnsOf(scope)))
    .select(["fingerprint", "resource_id as resourceId", "status"])
    .$narrowType<{ resourceId: string; status: number }>()
    .executeTakeFirst();
}

/** In place of the method, so that no client's key can be one of these. */
const unanswered = "UNANSWERED";

/** A call without a key. Equal calls have the same fingerprint. */
export interface UnansweredCall {
  readonly organizationId: string;
  readonly path: string;
  readonly fingerprint: string;
}

/** Notes what a call has created. */
export async function insertUnanswered(
  db: Database,
  { organizationId, path, fingerprint, resourceId }: UnansweredCall & { readonly resourceId: string },
): Promise<void> {
  const scope = columnsOf({ organizationId, method: unanswered, path, key: resourceId });
  await db.kysely
    .insertInto("idempotency_keys")
    .values({ ...scope, fingerprint, resource_id: resourceId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Removes the oldest note of an equal call of the last `ms` milliseconds, and returns what the call created. Also
 * removes older notes, so that the path has few (primary key).
 */
export async function takeUnanswered(db: Database, call: UnansweredCall, ms: number): Promise<string | undefined> {
  const of = sql`organization_id = ${call.organizationId} and method = ${unanswered} and path = ${call.path}`;
  const age = sql`clock_timestamp() - created_at`;
  const limit = sql`${ms} * interval '1 millisecond'`;
  const result = await sql<{ id: string }>`
    with late as (
      delete from idempotency_keys where ctid = any (array(
        select ctid from idempotency_keys where ${of} and ${age} >= ${limit} for update skip locked)))
    delete from idempotency_keys where ctid = any (array(
      select ctid from idempotency_keys where ${of} and ${age} < ${limit} and fingerprint = ${call.fingerprint}
      order by created_at limit 1 for update skip locked)) returning resource_id as id`.execute(db.kysely);
  return result.rows[0]?.id;
}

/** Deletes at most `limit` keys, the oldest first (index idempotency_keys_by_age). Returns how many. */
export async function deleteIdempotencyKeysOlderThan(db: Database, ms: number, limit: number): Promise<number> {
  const result = await sql`
    delete from idempotency_keys where ctid = any (array(
      select ctid from idempotency_keys where created_at < clock_timestamp() - ${ms} * interval '1 millisecond'
      order by created_at limit ${limit} for update skip locked))`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0n);
}

function columnsOf(scope: IdempotencyScope) {
  return { organization_id: scope.organizationId, method: scope.method, path: scope.path, key: scope.key };
}
