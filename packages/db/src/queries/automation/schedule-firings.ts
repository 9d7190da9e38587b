// Due schedules, and the record of each due time.

import type { FiringOutcome, MessageState, OverlapPolicy, SchedulePauseReason } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { toPage, type ListPage, type Page } from "../context/page.ts";
import type { ScheduleKey } from "./schedules.ts";

/**
 * Lists due schedules, except those already seen: of each organization the longest due first, and organizations in
 * turn, so that one with many does not delay the others. Reads the `looks` that are due longest (partial index
 * schedules_due; the clock is read once, because an index condition needs that).
 */
export async function listDueSchedules(
  db: Database,
  { limit, looks, except }: { readonly limit: number; readonly looks: number; readonly except: readonly string[] },
): Promise<string[]> {
  const result = await sql<{ id: string }>`
    select d.id from (
      select s.id, s.next_due_at, row_number() over (partition by s.organization_id order by s.next_due_at) as n
      from (select x.id, x.organization_id, x.next_due_at from schedules x
          where x.status = 'active' and x.next_due_at <= (select clock_timestamp()) and x.id <> all (${except}::text[])
            and exists (select 1 from organizations o where o.id = x.organization_id and o.deleted_at is null offset 0)
          order by x.next_due_at limit ${looks}) s) d
    order by d.n, d.next_due_at limit ${limit}`.execute(db.kysely);
  return result.rows.map(({ id }) => id);
}

export interface DueSchedule {
  readonly id: string;
  readonly organizationId: string;
  readonly agentId: string;
  readonly sessionId: string | null;
  readonly name: string | null;
  readonly cron: string;
  readonly timeZone: string;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly overlap: OverlapPolicy;
  readonly isBackground: boolean;
  readonly lastMessageId: string | null;
  readonly nextDueAt: Date;
  /** The database's clock after the row was locked. */
  readonly now: Date;
}

/**
 * Locks the schedule until the transaction ends. Returns undefined if it is no longer due, or another process is firing
 * it.
 */
export async function lockScheduleIfDue(db: Database, scheduleId: string): Promise<DueSchedule | undefined> {
  const result = await sql<DueSchedule>`
    select id, organization_id as "organizationId", agent_id as "agentId", session_id as "sessionId", name, cron,
      time_zone as "timeZone", parts, metadata, overlap, is_background as "isBackground",
      last_message_id as "lastMessageId",
      next_due_at as "nextDueAt", clock_timestamp() as now
    from schedules where id = ${scheduleId} and status = 'active' and next_due_at <= clock_timestamp()
    for no key update skip locked`.execute(db.kysely);
  return result.rows[0];
}

export interface FiringConditions {
  /** Whether this due time already has a record, from before a clock was set back. */
  readonly isRecorded: boolean;
  readonly isAgentDeleted: boolean;
  /** Whether the fixed session accepts no more messages. */
  readonly isSessionEnded: boolean;
  readonly isPreviousOpen: boolean;
  /** Why its turn must not begin now; null if it may. */
  readonly holdReason: "paused" | "budget" | null;
}

/** Reads what a firing needs, under the schedule's lock, by primary keys and the unique index of due times. */
export async function findFiringConditions(
  db: Database,
  schedule: DueSchedule,
  dueAt: Date,
): Promise<FiringConditions> {
  const { id, organizationId, agentId, sessionId, lastMessageId } = schedule;
  const result = await sql<FiringConditions>`
    select exists (select 1 from schedule_firings where schedule_id = ${id} and due_at = ${dueAt}) as "isRecorded",
      not exists (select 1 from agents where id = ${agentId} and deleted_at is null) as "isAgentDeleted",
      ${sessionId}::text is not null and not exists (select 1 from sessions where id = ${sessionId}
        and organization_id = ${organizationId} and deleted_at is null and state = 'open') as "isSessionEnded",
      exists (select 1 from messages where id = ${lastMessageId} and completed_at is null) as "isPreviousOpen",
      hold_reason(p_organization => ${organizationId}, p_agent => ${agentId},
        p_session => ${sessionId}) as "holdReason"`.execute(db.kysely);
  return result.rows[0]!;
}

export interface NewFiring {
  readonly id: string;
  readonly dueAt: Date;
  readonly outcome: FiringOutcome;
  readonly sessionId?: string;
  readonly messageId?: string;
  readonly reason?: { readonly code: string; readonly message: string };
  readonly missedCount?: number;
}

/** Writes one record per due time. A second one changes nothing. */
export async function insertFiringIfNew(db: Database, schedule: DueSchedule, firing: NewFiring): Promise<void> {
  await sql`
    insert into schedule_firings (id, organization_id, schedule_id, due_at, outcome, session_id, message_id,
        reason_code, reason, missed_count)
      values (${firing.id}, ${schedule.organizationId}, ${schedule.id}, ${firing.dueAt}, ${firing.outcome},
        ${firing.sessionId ?? null}, ${firing.messageId ?? null}, ${firing.reason?.code ?? null},
        ${firing.reason?.message ?? null}, ${firing.missedCount ?? null}::int)
      on conflict (schedule_id, due_at) do nothing`.execute(db.kysely);
}

/**
 * `pause`: no firing can ever succeed again. Returns false if the schedule has moved on in the meantime; nothing is
 * changed then.
 */
export async function advanceScheduleIfAt(
  db: Database,
  schedule: DueSchedule,
  to: { readonly nextDueAt: Date; readonly messageId?: string; readonly pause?: SchedulePauseReason },
): Promise<boolean> {
  const { messageId = null, pause = null } = to;
  const result = await sql`
    update schedules set next_due_at = case when ${pause}::text is null then ${to.nextDueAt}::timestamptz end,
      status = case when ${pause}::text is null then 'active' else 'paused' end, paused_reason = ${pause},
      last_fired_at = case when ${messageId}::text is null then last_fired_at else clock_timestamp() end,
      last_message_id = coalesce(${messageId}, last_message_id)
    where id = ${schedule.id} and status = 'active'
      and date_trunc('milliseconds', next_due_at) = ${schedule.nextDueAt}::timestamptz`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

export interface FiringRow {
  readonly id: string;
  readonly scheduleId: string;
  readonly dueAt: Date;
  readonly createdAt: Date;
  readonly outcome: FiringOutcome;
  readonly sessionId: string | null;
  readonly messageId: string | null;
  readonly messageState: MessageState | null;
  readonly reasonCode: string | null;
  readonly reason: string | null;
  readonly missedCount: number | null;
}

/**
 * Lists the firings, the latest due time first (unique index of due times). Returns undefined for a cursor that is not
 * of this schedule.
 */
export async function listFirings(
  db: Database,
  { organizationId, scheduleId }: ScheduleKey,
  page: Page & { readonly outcome?: FiringOutcome | undefined },
): Promise<ListPage<FiringRow> | undefined> {
  let query = db.kysely
    .selectFrom("schedule_firings as f")
    .leftJoin("messages as m", "m.id", "f.message_id")
    .where("f.schedule_id", "=", scheduleId)
    .where("f.organization_id", "=", organizationId);
  if (page.after !== undefined) {
    const known = await query.where("f.id", "=", page.after).select("f.due_at as dueAt").executeTakeFirst();
    if (known === undefined) return undefined;
    query = query.where("f.due_at", "<", known.dueAt);
  }
  if (page.outcome !== undefined) query = query.where("f.outcome", "=", page.outcome);
  const rows = await query
    .select(["f.id", "f.schedule_id as scheduleId", "f.due_at as dueAt", "f.created_at as createdAt"])
    .select([sql<FiringOutcome>`f.outcome`.as("outcome"), "f.session_id as sessionId", "f.message_id as messageId"])
    .select([sql<MessageState | null>`m.state`.as("messageState"), "f.reason_code as reasonCode", "f.reason"])
    .select("f.missed_count as missedCount")
    .orderBy("f.due_at", "desc")
    .limit(page.limit + 1)
    .execute();
  return toPage(rows, page);
}

/** Deletes records older than `keepMs` (index schedule_firings_by_age). */
export async function purgeFirings(db: Database, keepMs: number, limit: number): Promise<number> {
  const result = await sql`
    delete from schedule_firings where id in (
      select id from schedule_firings where created_at < clock_timestamp() - ${keepMs} * interval '1 millisecond'
      order by created_at limit ${limit} for update skip locked)`.execute(db.kysely);
  return Number(result.numAffectedRows ?? 0);
}
