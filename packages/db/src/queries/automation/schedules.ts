// Schedules for their owner. For due ones, see schedule-firings.

import { limits, type OverlapPolicy, type SchedulePauseReason } from "@dari/domain";
import { sql, type Transaction } from "kysely";
import { withTransaction, type Database } from "../../database.ts";
import type { DB } from "../../generated/schema.ts";
import { countRowsWithin, isKnownCursor, type ListPage, type Page } from "../context/page.ts";

export interface ScheduleRow {
  readonly id: string;
  readonly name: string | null;
  readonly agentId: string;
  /** Null: each firing creates a session. */
  readonly sessionId: string | null;
  readonly cron: string;
  readonly timeZone: string;
  readonly parts: unknown;
  readonly metadata: unknown;
  readonly overlap: OverlapPolicy;
  readonly isBackground: boolean;
  readonly status: "active" | "paused";
  readonly pausedReason: SchedulePauseReason | null;
  /** Null while it is paused. */
  readonly nextDueAt: Date | null;
  readonly lastFiredAt: Date | null;
  /** The key that created or last changed it; null: no key. */
  readonly changedByKeyId: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ScheduleKey {
  readonly organizationId: string;
  readonly scheduleId: string;
}

export interface NewSchedule extends Omit<
  ScheduleRow,
  "agentId" | "pausedReason" | "nextDueAt" | "lastFiredAt" | "createdAt" | "updatedAt"
> {
  readonly organizationId: string;
  /** Default: the session's agent. */
  readonly agentId: string | undefined;
}

/** The columns of a row, of the table or of a statement's result. */
export const scheduleColumns = [
  "id",
  "name",
  "agent_id as agentId",
  "session_id as sessionId",
  "cron",
  "time_zone as timeZone",
  "parts",
  "metadata",
  sql<OverlapPolicy>`overlap`.as("overlap"),
  "is_background as isBackground",
  sql<"active" | "paused">`status`.as("status"),
  sql<SchedulePauseReason | null>`paused_reason`.as("pausedReason"),
  "next_due_at as nextDueAt",
  "last_fired_at as lastFiredAt",
  "changed_by_key_id as changedByKeyId",
  "created_at as createdAt",
  "updated_at as updatedAt",
] as const;

export type InsertedSchedule = "created" | "no_agent" | "no_session" | "session_ended" | "too_many";

/**
 * `nextDueAt` gets the database's time. `too_many`: the organization has `max`. Locks the organization's row, so calls
 * of one organization run one after the other.
 */
export async function insertScheduleIfBelow(
  db: Database,
  schedule: NewSchedule,
  max: number,
  nextDueAt: (now: Date) => Date,
): Promise<InsertedSchedule> {
  const { id, organizationId, sessionId } = schedule;
  return withTransaction(db, async (tx) => {
    await sql`select 1 from organizations where id = ${organizationId} for no key update`.execute(tx);
    const found = await sql<{ now: Date; count: number }>`
      select clock_timestamp() as now,
        (select count(*)::int from schedules where organization_id = ${organizationId}) as count`.execute(tx);
    const { now, count } = found.rows[0]!;
    // Also for a paused schedule: times that never occur are refused now.
    const next = nextDueAt(now);
    if (count >= max) return "too_many";
    const agent = await findAgentOf(tx, schedule);
    if (typeof agent === "string") return agent;
    await tx
      .insertInto("schedules")
      .values({
        id,
        organization_id: organizationId,
        agent_id: agent.agentId,
        session_id: sessionId,
        name: schedule.name,
        cron: schedule.cron,
        time_zone: schedule.timeZone,
        parts: JSON.stringify(schedule.parts),
        metadata: JSON.stringify(schedule.metadata),
        overlap: schedule.overlap,
        is_background: schedule.isBackground,
        status: schedule.status,
        paused_reason: schedule.status === "paused" ? "manual" : null,
        next_due_at: schedule.status === "active" ? next : null,
        changed_by_key_id: schedule.changedByKeyId,
      })
      .execute();
    return "created";
  });
}

/** Returns the schedule's agent, if a message could be sent to it now. */
async function findAgentOf(
  tx: Transaction<DB>,
  { organizationId, agentId, sessionId }: Pick<NewSchedule, "organizationId" | "agentId" | "sessionId">,
): Promise<{ agentId: string } | "no_agent" | "no_session" | "session_ended"> {
  if (sessionId === null) {
    const result = await sql<{ id: string }>`select id from agents
      where id = ${agentId ?? null} and organization_id = ${organizationId} and deleted_at is null`.execute(tx);
    const row = result.rows[0];
    return row === undefined ? "no_agent" : { agentId: row.id };
  }
  const result = await sql<{ agentId: string; state: string }>`select agent_id as "agentId", state from sessions
    where id = ${sessionId} and organization_id = ${organizationId} and deleted_at is null`.execute(tx);
  const row = result.rows[0];
  if (row === undefined) return "no_session";
  return row.state === "open" ? { agentId: row.agentId } : "session_ended";
}

/** Finds a schedule by primary key. */
export async function findSchedule(db: Database, place: ScheduleKey): Promise<ScheduleRow | undefined> {
  return selectSchedules(db, place.organizationId).where("id", "=", place.scheduleId).executeTakeFirst();
}

function selectSchedules(db: Database, organizationId: string) {
  return db.kysely.selectFrom("schedules").where("organization_id", "=", organizationId).select(scheduleColumns);
}

export interface ScheduleFilter {
  readonly agentId?: string | undefined;
  readonly status?: "active" | "paused" | undefined;
}

/**
 * Lists schedules, newest first (index schedules_by_organization). A page ends early if its rows would exceed
 * `limits.pageBytes`.
 */
export async function listSchedules(
  db: Database,
  organizationId: string,
  filter: ScheduleFilter,
  page: Page,
): Promise<ListPage<ScheduleRow> | undefined> {
  if (!(await isKnownCursor(db, "schedules", organizationId, page))) return undefined;
  let ids = db.kysely.selectFrom("schedules").where("organization_id", "=", organizationId);
  if (page.after !== undefined) ids = ids.where("id", "<", page.after);
  if (filter.agentId !== undefined) ids = ids.where("agent_id", "=", filter.agentId);
  if (filter.status !== undefined) ids = ids.where("status", "=", filter.status);
  const found = await ids
    .select(["id", sql<number>`octet_length(parts::text)`.as("bytes")])
    .orderBy("id", "desc")
    .limit(page.limit + 1)
    .execute();
  const shown = found.slice(0, Math.min(page.limit, countRowsWithin(found, limits.pageBytes))).map(({ id }) => id);
  if (shown.length === 0) return { rows: [], next: null };
  const rows = await selectSchedules(db, organizationId).where("id", "in", shown).orderBy("id", "desc").execute();
  return { rows, next: found.length > shown.length ? (shown.at(-1) ?? null) : null };
}

export interface ScheduleChange {
  readonly name?: string | undefined;
  readonly cron?: string | undefined;
  readonly timeZone?: string | undefined;
  readonly parts?: unknown;
  readonly metadata?: unknown;
  readonly overlap?: OverlapPolicy | undefined;
  readonly isBackground?: boolean | undefined;
  readonly status?: "active" | "paused" | undefined;
  readonly changedByKeyId: string | null;
}

/**
 * Undefined fields do not change. If a schedule is resumed or gets other times, `nextDueAt` computes its next due time
 * from the database's clock and the new times. Otherwise its next due time stays. The row is locked from the read on.
 * `agent_deleted`, `session_ended`: it cannot be resumed.
 */
export async function updateScheduleIfFound(
  db: Database,
  { organizationId, scheduleId }: ScheduleKey,
  change: ScheduleChange,
  nextDueAt: (times: { cron: string; timeZone: string }, now: Date) => Date,
): Promise<"updated" | "missing" | "agent_deleted" | "session_ended"> {
  return withTransaction(db, async (tx) => {
    const found = await sql<{
      cron: string;
      timeZone: string;
      status: string;
      agentId: string;
      sessionId: string | null;
    }>`
      select cron, time_zone as "timeZone", status, agent_id as "agentId", session_id as "sessionId" from schedules
      where id = ${scheduleId} and organization_id = ${organizationId} for no key update`.execute(tx);
    const current = found.rows[0];
    if (current === undefined) return "missing";
    const status = change.status ?? current.status;
    const resumes = status === "active" && current.status === "paused";
    if (resumes) {
      const agent = await findAgentOf(tx, { organizationId, ...current });
      if (typeof agent === "string") return agent === "no_agent" ? "agent_deleted" : "session_ended";
    }
    const times = { cron: change.cron ?? current.cron, timeZone: change.timeZone ?? current.timeZone };
    const isOther = times.cron !== current.cron || times.timeZone !== current.timeZone;
    const clock = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(tx);
    // Also for a paused schedule: times that never occur are refused now.
    const next = nextDueAt(times, clock.rows[0]!.now);
    await tx
      .updateTable("schedules")
      .set({
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.parts === undefined ? {} : { parts: JSON.stringify(change.parts) }),
        ...(change.metadata === undefined ? {} : { metadata: JSON.stringify(change.metadata) }),
        ...(change.overlap === undefined ? {} : { overlap: change.overlap }),
        ...(change.isBackground === undefined ? {} : { is_background: change.isBackground }),
        cron: times.cron,
        time_zone: times.timeZone,
        status,
        paused_reason: status === "active" ? null : sql<string>`coalesce(paused_reason, 'manual')`,
        ...(status === "paused" ? { next_due_at: null } : resumes || isOther ? { next_due_at: next } : {}),
        changed_by_key_id: change.changedByKeyId,
        updated_at: sql<Date>`clock_timestamp()`,
      })
      .where("id", "=", scheduleId)
      .execute();
    return "updated";
  });
}

/** Deletes it with its firings. Returns false if there is none. */
export async function deleteScheduleIfFound(
  db: Database,
  { organizationId, scheduleId }: ScheduleKey,
): Promise<boolean> {
  const result = await sql`delete from schedules
    where id = ${scheduleId} and organization_id = ${organizationId}`.execute(db.kysely);
  return result.numAffectedRows === 1n;
}

/** Returns ids of active schedules that a key created or last changed (index schedules_by_organization). */
export async function listActiveSchedulesOfKey(db: Database, organizationId: string, keyId: string): Promise<string[]> {
  const rows = await db.kysely
    .selectFrom("schedules")
    .where("organization_id", "=", organizationId)
    .where("changed_by_key_id", "=", keyId)
    .where("status", "=", "active")
    .select("id")
    .orderBy("id")
    .execute();
  return rows.map(({ id }) => id);
}
