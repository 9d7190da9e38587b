// Failed messages by common properties, for retrying many in one call. Starts from the partial indexes of failed
// messages.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import type { Page } from "../context/page.ts";

export interface FailedFilter {
  /** Undefined: all organizations. */
  readonly organizationId: string | undefined;
  readonly agentId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Sessions of this batch. */
  readonly batchId?: string | undefined;
  /** The code of the failure. */
  readonly errorCode?: string | undefined;
  /** Both bounds are exclusive. */
  readonly failedAfter?: Date | undefined;
  readonly failedBefore?: Date | undefined;
}

export interface FailedMessageRow {
  readonly id: string;
  readonly organizationId: string;
  readonly sessionId: string;
  readonly isRetried: boolean;
  /** Whether the session accepts messages, and its version can run them. */
  readonly isSessionOpen: boolean;
  readonly isVersionFailed: boolean;
}

/**
 * Lists failed messages, oldest failure first, at most `limit` after the message `after`. Leaves out messages that are
 * no longer part of a conversation, those that steered another one's turn, and copies in forks. Returns undefined if
 * `after` is not a failed message that the filter's organization may name.
 */
export async function listFailedMessages(
  db: Database,
  filter: FailedFilter,
  page: Page,
): Promise<FailedMessageRow[] | undefined> {
  if (page.after !== undefined && !(await isFailed(db, filter.organizationId, page.after))) return undefined;
  return selectFailedMessages(db, filter, page).execute();
}

/**
 * Uses the indexes messages_failed_at_by_organization or messages_failed_at, and messages_by_retry_of. The offsets keep
 * the planner from starting at the sessions, and from reading all messages for their retries.
 */
export function selectFailedMessages(db: Database, filter: FailedFilter, page: Page) {
  const { organizationId, agentId, sessionId, batchId, errorCode, failedAfter, failedBefore } = filter;
  let query = db.kysely
    .selectFrom("messages as m")
    .innerJoinLateral(
      (eb) => eb.selectFrom("sessions").selectAll().whereRef("id", "=", "m.session_id").offset(0).as("s"),
      (join) => join.onTrue(),
    )
    .innerJoinLateral(
      (eb) => eb.selectFrom("versions").select("state").whereRef("id", "=", "s.version_id").offset(0).as("v"),
      (join) => join.onTrue(),
    )
    .where("m.failed_at", "is not", null)
    // Tells the planner, even without statistics, that few messages have failed.
    .where(sql<boolean>`m.failed_at > '-infinity'`)
    .where("m.copied_from", "is", null)
    // A replay is a question about code, and its failure the answer.
    .where("m.replay_of", "is", null)
    .where("m.rolled_back_at", "is", null)
    .where("m.steered_into", "is", null)
    .where("s.deleted_at", "is", null);
  if (organizationId !== undefined) query = query.where("m.organization_id", "=", organizationId);
  if (agentId !== undefined) query = query.where("s.agent_id", "=", agentId);
  if (sessionId !== undefined) query = query.where("m.session_id", "=", sessionId);
  if (batchId !== undefined) {
    query = query.where(
      sql<boolean>`exists (select 1 from session_batch_items i where i.session_id = m.session_id
        and i.batch_id = ${batchId} and (i.message_id = m.id or m.retry_of is not null) offset 0)`,
    );
  }
  if (errorCode !== undefined) query = query.where(sql`m.output -> 'error' ->> 'code'`, "=", errorCode);
  if (failedAfter !== undefined) query = query.where("m.failed_at", ">", failedAfter);
  if (failedBefore !== undefined) query = query.where("m.failed_at", "<", failedBefore);
  if (page.after !== undefined) {
    query = query.where(
      sql<boolean>`(m.failed_at, m.id) > (select c.failed_at, c.id from messages c where c.id = ${page.after})`,
    );
  }
  return query
    .select(["m.id", "m.organization_id as organizationId", "m.session_id as sessionId"])
    .select(
      sql<boolean>`exists (select 1 from messages r
        where r.retry_of = m.id and r.organization_id = m.organization_id offset 0)`.as("isRetried"),
    )
    .select(sql<boolean>`s.state = 'open'`.as("isSessionOpen"))
    .select(sql<boolean>`v.state = 'failed'`.as("isVersionFailed"))
    .orderBy("m.failed_at")
    .orderBy("m.id")
    .limit(page.limit);
}

async function isFailed(db: Database, organizationId: string | undefined, messageId: string): Promise<boolean> {
  let query = db.kysely.selectFrom("messages").where("id", "=", messageId).where("failed_at", "is not", null);
  if (organizationId !== undefined) query = query.where("organization_id", "=", organizationId);
  return (await query.select("id").executeTakeFirst()) !== undefined;
}

/**
 * Locks the sessions in one order, so that no one adds a message to them before this transaction ends. Then returns
 * which of the messages have been retried: in a second statement, which sees what was committed before the locks.
 */
export async function lockSessionsAndListRetried(
  db: Database,
  sessionIds: readonly string[],
  messageIds: readonly string[],
): Promise<ReadonlySet<string>> {
  await sql`select 1 from sessions where id = any (${sessionIds}::text[]) order by id for no key update`.execute(
    db.kysely,
  );
  // An import can claim anything about messages: a retry counts only within its own organization.
  const result = await sql<{ id: string }>`
    select distinct r.retry_of as id from messages r join messages m on m.id = r.retry_of
    where r.retry_of = any (${messageIds}::text[]) and m.organization_id = r.organization_id`.execute(db.kysely);
  return new Set(result.rows.map((row) => row.id));
}
