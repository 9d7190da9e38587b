// Sessions by their newest message, with their first and last words and sums, for lists that people read.

import { limits, type MessageState, type SessionState } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";

export interface SummaryFilter {
  readonly agentId?: string | undefined;
  /** `busy`: with a queued or running message; `idle`: open without. */
  readonly status?: "idle" | "busy" | Exclude<SessionState, "open"> | undefined;
  readonly startedBy?: "caller" | keyof typeof starterPrefixes | undefined;
  /** Part of the name, or of a text of the first or the newest message or its answer, in any case. */
  readonly text?: string | undefined;
  /** All of these pairs must match, with the values as text. */
  readonly metadata: readonly (readonly [key: string, value: string])[];
}

export interface SummaryPage {
  readonly limit: number;
  /** The place in time after which the page starts: the part after `_` of a session's or a message's id. */
  readonly after?: string | undefined;
}

export interface FoundSessions {
  readonly sessionIds: string[];
  /** Where the next page starts; null at the end. */
  readonly next: string | null;
}

/**
 * Finds a page of sessions, newest message first; a session without messages counts from its creation. Ids contain
 * their time, so no index is needed but messages_by_organization and sessions_by_organization. Examines at most
 * `limits.summariesExamined` messages and as many sessions, and searches the texts of at most
 * `limits.summariesSearched` sessions, so a page can end early, with `next`.
 */
export async function findSessionsByActivity(
  db: Database,
  organizationId: string,
  filter: SummaryFilter,
  { limit, after }: SummaryPage,
): Promise<FoundSessions> {
  const examined = limits.summariesExamined;
  // Ids begin with a digit, which every collation sorts before letters.
  const before = after ?? "z";
  const conditions = conditionsOf(filter);
  const { text } = filter;
  const matchedMax = text === undefined ? 2 * examined : limits.summariesSearched;
  const result = await sql<{ bound: string | null; id: string | null; place: string }>`
    with talked as materialized (
      select m.id, m.session_id, substr(m.id, 5) as place from messages m
      where m.organization_id = ${organizationId} and m.id < ${`msg_${before}`}
      order by m.id desc limit ${examined}),
    started as materialized (
      select s.id, substr(s.id, 6) as place from sessions s
      where s.organization_id = ${organizationId} and s.deleted_at is null and s.id < ${`sess_${before}`}
      order by s.id desc limit ${examined}),
    matched as materialized (
      select s.id, s.name, s.last_message_id, t.place from talked t
        join sessions s on s.id = t.session_id and s.last_message_id = t.id and s.deleted_at is null
      where ${conditions}
      union all
      select s.id, s.name, s.last_message_id, t.place from started t
        join sessions s on s.id = t.id and s.last_message_id is null
      where ${conditions}
      order by place desc limit ${matchedMax}),
    bound as (
      select nullif(greatest(
        (select case when count(*) = ${matchedMax} then min(place) else '' end from matched),
        (select case when count(*) = ${examined} then min(place) else '' end from talked),
        (select case when count(*) = ${examined} then min(place) else '' end from started)), '') as place),
    found as (select s.id, s.place from matched s where ${text === undefined ? sql`true` : textCondition(text)})
    select b.place as bound, f.id, f.place from bound b
      left join lateral (select * from found where found.place >= coalesce(b.place, '')
        order by found.place desc limit ${limit + 1}) f on true
    order by f.place desc`.execute(db.kysely);
  const rows = result.rows.filter(({ id }) => id !== null);
  const shown = rows.slice(0, limit);
  const next = rows.length > limit ? shown.at(-1)!.place : (result.rows[0]?.bound ?? null);
  return { sessionIds: shown.map(({ id }) => id!), next };
}

const starterPrefixes = { schedule: "sched", batch: "batch", trigger: "trig" } as const;

/** Returns all conditions except the text. */
function conditionsOf({ agentId, status, startedBy, metadata }: SummaryFilter): RawBuilder<boolean> {
  const all: RawBuilder<boolean>[] = [sql<boolean>`true`];
  if (agentId !== undefined) all.push(sql<boolean>`s.agent_id = ${agentId}`);
  if (status === "idle") all.push(sql<boolean>`s.state = 'open' and s.pending = 0`);
  else if (status === "busy") all.push(sql<boolean>`s.state = 'open' and s.pending > 0`);
  else if (status !== undefined) all.push(sql<boolean>`s.state = ${status}`);
  const automatic = sql<boolean>`coalesce(s.created_by, '') ~ '^(sched|batch|trig)_'`;
  if (startedBy === "caller") all.push(sql<boolean>`not ${automatic}`);
  else if (startedBy !== undefined) {
    all.push(sql<boolean>`s.created_by like ${`${starterPrefixes[startedBy]}\\_%`}`);
  }
  for (const [key, value] of metadata) all.push(sql<boolean>`s.metadata ->> ${key} = ${value}`);
  return sql.join(all, sql` and `);
}

function textCondition(text: string): RawBuilder<boolean> {
  const pattern = `%${text.replace(/[\\%_]/g, "\\$&")}%`;
  return sql<boolean>`(s.name ilike ${pattern} or s.id = ${text} or exists (
    select 1 from messages x
    where x.session_id = s.id and (x.sequence_number = 1 or x.id = s.last_message_id)
      and (${searchedTextOf(sql`x.parts`, sql`x.parts`)} ilike ${pattern}
        or ${searchedTextOf(sql`x.output`, sql`x.output -> 'parts'`)} ilike ${pattern})))`;
}

/**
 * Returns the texts of message or answer parts, or null if they have more than `limits.searchedTextBytes`: searching
 * many of them would take seconds. Compressed values that are twice as large are not read.
 */
function searchedTextOf(value: RawBuilder<unknown>, parts: RawBuilder<unknown>): RawBuilder<string | null> {
  const most = limits.searchedTextBytes;
  return sql<string | null>`case when pg_column_size(${value}) < ${2 * most} then (
    select string_agg(p ->> 'text', ' ') from ${elementsOf(parts)} p
    having sum(octet_length(p ->> 'text')) <= ${most}) end`;
}

/** Returns the texts of message or answer parts, joined. */
function textOf(parts: RawBuilder<unknown>): RawBuilder<string | null> {
  return sql<string | null>`(select string_agg(p ->> 'text', ' ') from ${elementsOf(parts)} p)`;
}

function elementsOf(parts: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`jsonb_array_elements(case jsonb_typeof(${parts}) when 'array' then ${parts} else '[]' end)`;
}

/** Returns the first characters of the texts, or null if the compressed value is very large. */
export function wordsOf(value: RawBuilder<unknown>, parts: RawBuilder<unknown>): RawBuilder<string | null> {
  return sql<string | null>`case when pg_column_size(${value}) < ${limits.summaryTextBytes}
    then left(${textOf(parts)}, ${limits.summaryTextChars}) end`;
}

export interface SessionSummaryRow {
  readonly id: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly name: string | null;
  readonly state: SessionState;
  readonly pending: number;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  /** The member's address, or the name of the key, schedule, batch or trigger; null if it is gone. */
  readonly creatorName: string | null;
  readonly messages: number;
  readonly firstText: string | null;
  readonly lastMessageId: string | null;
  readonly lastMessageState: MessageState | null;
  readonly lastMessageAt: Date | null;
  readonly lastMessageEndedAt: Date | null;
  readonly lastText: string | null;
  readonly lastAnswer: string | null;
  readonly lastError: string | null;
  readonly failed: number;
  readonly tokens: number;
  readonly turnSeconds: number;
}

/**
 * Reads sessions by their ids, in no order (primary keys). The sums are over a session's newest messages and attempts,
 * at most `limits.summaryTurns` (unique indexes of messages and attempts by session).
 */
export async function listSessionSummaries(
  db: Database,
  organizationId: string,
  sessionIds: readonly string[],
): Promise<SessionSummaryRow[]> {
  if (sessionIds.length === 0) return [];
  const result = await sql<SessionSummaryRow>`
    select s.id, s.agent_id as "agentId", a.name as "agentName", s.name, s.state, s.pending,
      s.created_at as "createdAt", s.created_by as "createdBy",
      coalesce(who.email, key.label, sched.name, batch.name, trig.name) as "creatorName",
      s.next_sequence_number - 1 as messages, ${wordsOf(sql`f.parts`, sql`f.parts`)} as "firstText",
      l.id as "lastMessageId", l.state as "lastMessageState", l.created_at as "lastMessageAt",
      l.completed_at as "lastMessageEndedAt", ${wordsOf(sql`l.parts`, sql`l.parts`)} as "lastText",
      ${wordsOf(sql`coalesce(l.output, d.output)`, sql`coalesce(l.output, d.output) -> 'parts'`)} as "lastAnswer",
      case when l.state = 'failed' then l.output -> 'error' ->> 'message' end as "lastError",
      n.failed, t.tokens, t.seconds as "turnSeconds"
    from sessions s
      join agents a on a.id = s.agent_id
      left join messages l on l.id = s.last_message_id
      -- The turn in which the last message was delivered.
      left join messages d on d.id = l.steered_into
      left join messages f on f.session_id = s.id and f.sequence_number = 1
      left join members who on who.id = s.created_by
      left join api_keys key on key.id = s.created_by
      left join schedules sched on sched.id = s.created_by
      left join session_batches batch on batch.id = s.created_by
      left join triggers trig on trig.id = s.created_by
      cross join lateral (
        select (count(*) filter (where x.state = 'failed'))::int as failed from (
          select state from messages where session_id = s.id and copied_from is null
          order by sequence_number desc limit ${limits.summaryTurns}) x) n
      cross join lateral (
        select coalesce(sum(x.tokens), 0)::float8 as tokens, coalesce(sum(greatest(0,
            extract(epoch from coalesce(x.ended_at, clock_timestamp()) - x.called_at))), 0)::float8 as seconds
        from (select tokens, ended_at, called_at from attempts where session_id = s.id and called_at is not null
          order by fence desc limit ${limits.summaryTurns}) x) t
    where s.organization_id = ${organizationId} and s.id = any (${[...sessionIds]}::text[])`.execute(db.kysely);
  return result.rows;
}

/** Records who started a session that was created by a function of the database. */
export async function setSessionCreator(db: Database, sessionId: string, createdBy: string | null): Promise<void> {
  await sql`update sessions set created_by = ${createdBy} where id = ${sessionId}`.execute(db.kysely);
}
