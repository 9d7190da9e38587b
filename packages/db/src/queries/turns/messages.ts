// Reads messages with what their records need of the schedule. The turn functions write them.

import {
  limits,
  type InputState,
  type MessageLimits,
  type MessageState,
  type ReachedLimit,
  type ScheduleState,
} from "@dari/domain";
import { sql, type ExpressionBuilder } from "kysely";
import type { Database, Queryable } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { statement } from "../../statement.ts";
import { countRowsWithin, type ListPage, type Page } from "../context/page.ts";

export interface MessageRow {
  readonly id: string;
  readonly sessionId: string;
  readonly sequenceNumber: number;
  readonly state: MessageState;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly output: unknown;
  readonly filesChanged: unknown;
  /** The number of the newest counted or running attempt; 1 before the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly limits: MessageLimits | null;
  readonly isBackground: boolean;
  readonly timings: unknown;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly mergedInto: string | null;
  /** The earlier message whose turn has taken this one, and the number of the event that says so. */
  readonly steeredInto: string | null;
  readonly steeredEvent: number | null;
  readonly retryOf: string | null;
  /** The message that this one copies, in a fork. */
  readonly copiedFrom: string | null;
  /** The message whose recording this one replays. */
  readonly replayOf: string | null;
  /** Whether it is no longer part of the conversation. */
  readonly rolledBack: boolean;
  /** What its agent has asked for, in order; null: nothing. */
  readonly inputs: readonly AskedInput[] | null;
  /** The session's schedule state, if this is the session's next message. */
  readonly schedule: ScheduleState | null;
  readonly blockedReason: string | null;
}

/** An input as JSON; times are text with their offset. */
export interface AskedInput {
  readonly key: string;
  readonly state: InputState;
  readonly schema: Record<string, unknown>;
  readonly prompt: string | null;
  readonly requestedAt: string;
  readonly expiresAt: string;
  readonly endedAt: string | null;
  /** Set if a limit of the message was reached. */
  readonly budget: ReachedLimit | null;
}

/**
 * Finds a message's session by primary key, also without statistics: the index of undeleted sessions does not find a
 * single one.
 */
function sessionOfMessage(eb: ExpressionBuilder<DB & { m: DB["messages"] }, "m">) {
  return eb
    .selectFrom("sessions")
    .whereRef("id", "=", "m.session_id")
    .selectAll()
    .offset(sql<number>`0`)
    .as("s");
}

/** Selects rows with their session (primary key) and running attempt (unique index on session_id, fence). */
function selectMessages(kysely: Queryable, organizationId: string) {
  const isNext = sql<boolean>`m.state = 'queued' and m.id = (select x.id from messages x
    where x.session_id = m.session_id and x.completed_at is null order by x.sequence_number limit 1)`;
  return (
    kysely
      .selectFrom("messages as m")
      .innerJoinLateral(sessionOfMessage, (join) => join.onTrue())
      .leftJoin("attempts as a", (join) =>
        join.onRef("a.session_id", "=", "m.session_id").onRef("a.fence", "=", "m.fence"),
      )
      .where("m.organization_id", "=", organizationId)
      .select([
        "m.id",
        "m.session_id as sessionId",
        "m.sequence_number as sequenceNumber",
        "m.state",
        "m.parts",
        "m.metadata",
        "m.output",
        "m.files_changed as filesChanged",
        "m.max_attempts as maxAttempts",
        "m.is_background as isBackground",
        "m.timings",
        "m.created_at as createdAt",
        "m.started_at as startedAt",
        "m.completed_at as completedAt",
        "m.merged_into as mergedInto",
        "m.steered_into as steeredInto",
        "m.steered_event as steeredEvent",
        "m.retry_of as retryOf",
        "m.copied_from as copiedFrom",
        "m.replay_of as replayOf",
      ])
      .select(
        sql<MessageLimits | null>`nullif(coalesce(m.limits, '{}') || coalesce(m.raised_limits, '{}'), '{}')`.as(
          "limits",
        ),
      )
      .select(sql<boolean>`m.rolled_back_at is not null or m.rolled_back_by is not null`.as("rolledBack"))
      // Read inputs only for the few messages that have some (primary key of message_inputs).
      .select(
        sql<AskedInput[] | null>`case when coalesce(m.resume_snapshot_id, m.raised_limits::text) is not null then (
        select json_agg(json_build_object('key', i.key, 'state', i.state, 'schema', i.schema, 'prompt', i.prompt,
          'requestedAt', i.requested_at, 'expiresAt', i.expires_at, 'endedAt', i.ended_at, 'budget', i.budget)
          order by i.number)
        from message_inputs i where i.message_id = m.id) end`.as("inputs"),
      )
      .select(sql<number>`coalesce(a.number, greatest(m.attempts, 1))`.as("attempt"))
      .select(sql<ScheduleState | null>`case when ${isNext} then s.schedule end`.as("schedule"))
      .select(sql<string | null>`case when ${isNext} then s.blocked_reason end`.as("blockedReason"))
  );
}

const selectMessage = statement((kysely, of: { organizationId: string; messageId: string }) =>
  selectMessages(kysely, of.organizationId).where("s.deleted_at", "is", null).where("m.id", "=", of.messageId),
);

/** Finds a message by primary key. Does not find messages of deleted sessions. */
export async function findMessage(
  db: Database,
  organizationId: string,
  messageId: string,
): Promise<MessageRow | undefined> {
  return (await selectMessage(db, { organizationId, messageId }))[0];
}

interface Ids {
  readonly organizationId: string;
  readonly messageIds: readonly string[];
}

const withIds = (kysely: Queryable, of: Ids) =>
  selectMessages(kysely, of.organizationId).where(sql<boolean>`m.id = any (${of.messageIds}::text[])`);

const selectMessagesByIds = statement((kysely, of: Ids) => withIds(kysely, of).where("s.deleted_at", "is", null));

const selectMessagesOfEvents = statement(withIds);

/** Lists messages by primary key, in no order. Leaves out messages that are not found. */
export async function listMessagesByIds(
  db: Database,
  organizationId: string,
  messageIds: readonly string[],
): Promise<MessageRow[]> {
  if (messageIds.length === 0) return [];
  return selectMessagesByIds(db, { organizationId, messageIds });
}

/**
 * Lists messages as `listMessagesByIds` does, but also of deleted sessions. A stream that is open when its session is
 * deleted still shows how messages ended, with their records.
 */
export async function listMessagesOfEvents(
  db: Database,
  organizationId: string,
  messageIds: readonly string[],
): Promise<MessageRow[]> {
  if (messageIds.length === 0) return [];
  return selectMessagesOfEvents(db, { organizationId, messageIds });
}

export interface MessageWalk {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly order: "asc" | "desc";
  /** The sequence number of the first message; undefined: the oldest or the newest. */
  readonly from: number | undefined;
  /** Only messages that have not ended (index messages_open). */
  readonly isOpen?: boolean;
}

/** Returns a session's first message from a number on, in an order (unique index on session_id, sequence_number). */
export async function findInOrder(
  db: Database,
  { organizationId, sessionId, order, from, isOpen = false }: MessageWalk,
): Promise<MessageRow | undefined> {
  let query = db.kysely
    .selectFrom("messages")
    .where("session_id", "=", sessionId)
    .where("organization_id", "=", organizationId)
    .where("rolled_back_at", "is", null)
    .where("rolled_back_by", "is", null)
    .select("id")
    .orderBy("sequence_number", order)
    .limit(1);
  if (from !== undefined) query = query.where("sequence_number", order === "asc" ? ">=" : "<=", from);
  if (isOpen) query = query.where("completed_at", "is", null);
  const row = await query.executeTakeFirst();
  return row === undefined ? undefined : findMessage(db, organizationId, row.id);
}

/**
 * Lists a session's messages in order (unique index on session_id, sequence_number). A page ends early if its rows
 * would exceed `limits.pageBytes`: an output, or the names of what one turn changed, can have megabytes.
 */
export async function listMessages(
  db: Database,
  organizationId: string,
  sessionId: string,
  page: Page,
): Promise<ListPage<MessageRow> | undefined> {
  let ids = db.kysely
    .selectFrom("messages")
    .where("session_id", "=", sessionId)
    .where("organization_id", "=", organizationId);
  if (page.after !== undefined) {
    const cursor = await ids.where("id", "=", page.after).select("sequence_number").executeTakeFirst();
    if (cursor === undefined) return undefined;
    ids = ids.where("sequence_number", ">", cursor.sequence_number);
  }
  const found = await ids
    .select("id")
    .select(
      sql<number>`octet_length(parts::text) + octet_length(metadata::text) + octet_length(files_changed::text)
        + coalesce(octet_length(output::text), 0)`.as("bytes"),
    )
    .orderBy("sequence_number")
    .limit(page.limit + 1)
    .execute();
  const shown = found.slice(0, Math.min(page.limit, countRowsWithin(found, limits.pageBytes)));
  const rows = await listMessagesByIds(
    db,
    organizationId,
    shown.map((row) => row.id),
  );
  rows.sort((a, b) => a.sequenceNumber - b.sequenceNumber);
  return { rows, next: found.length > shown.length ? (shown.at(-1)?.id ?? null) : null };
}
