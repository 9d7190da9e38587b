// What an organization's turns have used recently, what it stores, and what holds its sessions back.

import { limits } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

interface Used {
  readonly messages: number;
  readonly failed: number;
  readonly turns: number;
  readonly turnSeconds: number;
  readonly tokens: number;
  readonly meteredRequests: number;
  readonly meteredTokens: number;
  /** Micro-dollars. Null: no request has a cost. */
  readonly meteredCost: number | null;
  readonly unpricedRequests: number;
}

/**
 * What the attempts of a message have used. Requests that a loading agent makes are metered also if its entrypoint is
 * then not called. (index attempts_by_message)
 */
const attemptSums = sql`count(*) filter (where called_at is not null) as turns,
  sum(tokens) filter (where called_at is not null) as tokens,
  sum(greatest(0, extract(epoch from coalesce(ended_at, clock_timestamp()) - claimed_at)))
    filter (where called_at is not null) as seconds,
  sum(metered_requests) as metered_requests, sum(metered_tokens) as metered_tokens,
  sum(metered_cost_microusd) as metered_cost, sum(unpriced_requests) as unpriced_requests`;

/** Sums over messages. PostgreSQL adds integers exactly. The conversion is exact up to 2^53. */
const meteredSums = sql`coalesce(sum(metered_requests), 0)::float8 as "meteredRequests",
  coalesce(sum(metered_tokens), 0)::float8 as "meteredTokens", sum(metered_cost)::float8 as "meteredCost",
  coalesce(sum(unpriced_requests), 0)::float8 as "unpricedRequests"`;

export interface UsageSums {
  /** By UTC day, oldest first: `2026-11-25`. */
  readonly days: readonly (Used & { readonly date: string })[];
  /** By agent, the longest total turn time first. */
  readonly agents: readonly (Used & { readonly agentId: string; readonly name: string })[];
  /** Acceptance time of the first counted message; undefined if there is none. */
  readonly firstAt: Date | undefined;
  readonly isCut: boolean;
}

export interface UsageWindow {
  readonly since: Date;
  /** An id as of a message accepted at that time; older messages have lesser ids. */
  readonly afterId: string;
  /** How many of the newest messages are read; and how many agents are returned. */
  readonly messages: number;
  readonly agents: number;
}

interface UsageRow extends Used {
  readonly date: string | null;
  readonly agentId: string | null;
  readonly name: string | null;
  readonly firstAt: Date;
  readonly looked: number;
}

/**
 * Sums over the newest messages of a window and their attempts (indexes messages_by_organization, by the order of ids,
 * and attempts_by_message). A message counts on the day of its acceptance; copies in forks do not count.
 */
export async function sumUsage(db: Database, organizationId: string, window: UsageWindow): Promise<UsageSums> {
  const result = await sql<UsageRow>`
    with looked as materialized (
      select m.id, m.session_id, m.state, m.created_at from messages m
      where m.organization_id = ${organizationId} and m.id > ${window.afterId} and m.created_at >= ${window.since}
        and m.copied_from is null
      order by m.id desc limit ${window.messages + 1}),
    counted as (
      select s.agent_id, l.created_at, l.state = 'failed' as failed, a.turns, a.seconds,
        a.metered_requests, a.metered_tokens, a.metered_cost, a.unpriced_requests,
        coalesce(a.tokens, 0) as tokens
      from (select * from looked order by id desc limit ${window.messages}) l
      join sessions s on s.id = l.session_id
      cross join lateral (
        select ${attemptSums} from attempts where message_id = l.id) a)
    select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as date, agent_id as "agentId",
      (select name from agents where id = agent_id) as name, count(*)::int as messages,
      (count(*) filter (where failed))::int as failed, sum(turns)::int as turns,
      coalesce(sum(seconds), 0)::float8 as "turnSeconds", coalesce(sum(tokens), 0)::float8 as tokens,
      ${meteredSums}, min(created_at) as "firstAt", (select count(*)::int from looked) as looked
    from counted
    group by grouping sets ((to_char(created_at at time zone 'UTC', 'YYYY-MM-DD')), (agent_id))
    order by date nulls last, "turnSeconds" desc, agent_id`.execute(db.kysely);
  const { rows } = result;
  return {
    days: rows.flatMap(({ date, ...row }) => (date === null ? [] : [{ ...row, date }])),
    agents: rows
      .flatMap(({ agentId, name, ...row }) => (agentId === null ? [] : [{ ...row, agentId, name: name ?? agentId }]))
      .slice(0, window.agents),
    firstAt: rows.find(({ date }) => date !== null)?.firstAt,
    isCut: (rows[0]?.looked ?? 0) > window.messages,
  };
}

export interface AgentUsageRow extends Used {
  /** Null: all days together. */
  readonly date: string | null;
  /** Seconds from start to end of completed messages; null if none has completed. */
  readonly p50: number | null;
  readonly p95: number | null;
  /** The oldest message that was looked at, of any agent; null if there is none. */
  readonly firstAt: Date | null;
  readonly looked: number;
}

/** Sums over an agent's messages among the organization's newest ones, by day and in total. See `sumUsage`. */
export async function sumAgentUsage(
  db: Database,
  { organizationId, agentId }: { readonly organizationId: string; readonly agentId: string },
  window: Omit<UsageWindow, "agents">,
): Promise<AgentUsageRow[]> {
  const result = await sql<AgentUsageRow>`
    with looked as materialized (
      select m.id, m.session_id, m.state, m.created_at, m.started_at, m.completed_at from messages m
      where m.organization_id = ${organizationId} and m.id > ${window.afterId} and m.created_at >= ${window.since}
        and m.copied_from is null
      order by m.id desc limit ${window.messages + 1}),
    newest as materialized (select * from looked order by id desc limit ${window.messages}),
    counted as (
      select l.created_at, l.state, extract(epoch from l.completed_at - l.started_at) as took, a.*
      from newest l
      join sessions s on s.id = l.session_id and s.agent_id = ${agentId}
      cross join lateral (
        select ${attemptSums} from attempts where message_id = l.id) a)
    select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as date, count(*)::int as messages,
      (count(*) filter (where state = 'failed'))::int as failed, coalesce(sum(turns), 0)::int as turns,
      coalesce(sum(seconds), 0)::float8 as "turnSeconds", coalesce(sum(tokens), 0)::float8 as tokens,
      ${meteredSums},
      (percentile_cont(0.5) within group (order by took) filter (where state = 'completed'))::float8 as p50,
      (percentile_cont(0.95) within group (order by took) filter (where state = 'completed'))::float8 as p95,
      (select min(created_at) from newest) as "firstAt", (select count(*)::int from looked) as looked
    from counted
    group by grouping sets ((to_char(created_at at time zone 'UTC', 'YYYY-MM-DD')), ())
    order by date nulls last`.execute(db.kysely);
  return result.rows;
}

export interface SessionUsage extends Used {
  /** Sums of the numbers in the attempts' usage. */
  readonly byName: Readonly<Record<string, number>>;
  readonly isCut: boolean;
}

/**
 * Sums over the newest messages of a session, at most `most`, and their attempts (unique index on session_id and
 * sequence_number; attempts_by_message). A fork's copies count in the session in which their turns ran.
 */
export async function sumSessionUsage(
  db: Database,
  { organizationId, sessionId }: { readonly organizationId: string; readonly sessionId: string },
  most: number,
): Promise<SessionUsage> {
  const result = await sql<Used & { byName: Record<string, number> | null; looked: number }>`
    with looked as materialized (
      select m.id, m.state, row_number() over (order by m.sequence_number desc) as n
      from messages m
      where m.session_id = ${sessionId} and m.organization_id = ${organizationId} and m.copied_from is null
      order by m.sequence_number desc limit ${most + 1}),
    counted as materialized (
      select l.state = 'failed' as failed, a.turns, a.seconds, a.tokens, a.usages,
        a.metered_requests, a.metered_tokens, a.metered_cost, a.unpriced_requests
      from looked l
      cross join lateral (
        select ${attemptSums},
          array_agg(usage) filter (where usage <> '{}' and called_at is not null) as usages
        from attempts where message_id = l.id) a
      where l.n <= ${most}),
    named as (
      select u.key, sum(u.value::text::float8) as total
      from (select x.usage from counted c, unnest(c.usages) x (usage)
        where jsonb_typeof(x.usage) = 'object') l, jsonb_each(l.usage) u
      where jsonb_typeof(u.value) = 'number' group by u.key order by u.key limit ${limits.usageNamesMax})
    select count(*)::int as messages, (count(*) filter (where failed))::int as failed,
      coalesce(sum(turns), 0)::int as turns, coalesce(sum(seconds), 0)::float8 as "turnSeconds",
      coalesce(sum(tokens), 0)::float8 as tokens, ${meteredSums},
      (select json_object_agg(key, total) from named) as "byName", (select count(*)::int from looked) as looked
    from counted`.execute(db.kysely);
  const { byName, looked, ...sums } = result.rows[0]!;
  return { ...sums, byName: byName ?? {}, isCut: looked > most };
}

export interface StoredCounts {
  readonly storageBytes: number;
  readonly files: number;
  readonly agents: number;
  readonly sessions: number;
  readonly apiKeys: number;
}

/**
 * Counts each kind up to `most`, by its index on the organization; bytes as their quota counts them: files, bundles,
 * and the heads of sessions.
 */
export async function getStoredCounts(db: Database, organizationId: string, most: number): Promise<StoredCounts> {
  const result = await sql<StoredCounts>`
    select (select count(*)::int from (select 1 from files where organization_id = ${organizationId}
        and deleted_at is null limit ${most}) f) as files,
      (select count(*)::int from (select 1 from agents where organization_id = ${organizationId}
        and deleted_at is null limit ${most}) a) as agents,
      (select count(*)::int from (select 1 from sessions where organization_id = ${organizationId}
        and deleted_at is null limit ${most}) s) as sessions,
      (select count(*)::int from (select 1 from api_keys where organization_id = ${organizationId}
        and revoked_at is null and (expires_at is null or expires_at > clock_timestamp())
        limit ${most}) k) as "apiKeys",
      (coalesce((select sum(size_bytes) from files where organization_id = ${organizationId}
          and deleted_at is null), 0)
        + coalesce((select sum(size_bytes) from source_snapshots where organization_id = ${organizationId}), 0)
        + coalesce((select sum(h.total_bytes) from sessions s join snapshots h on h.id = s.head_snapshot_id
          where s.organization_id = ${organizationId} and s.deleted_at is null), 0))::float8 as "storageBytes"`.execute(
    db.kysely,
  );
  return result.rows[0]!;
}

export interface CurrentUsage {
  readonly openMessages: number;
  readonly turns: number;
}

/** Uses messages_open_by_organization, counted up to `most`, and sessions_in_flight. */
export async function getCurrentUsage(db: Database, organizationId: string, most: number): Promise<CurrentUsage> {
  const result = await sql<CurrentUsage>`
    select (select count(*)::int from (select 1 from messages m where m.organization_id = ${organizationId}
        and coalesce(m.completed_at, 'infinity') = 'infinity' limit ${most}) x) as "openMessages",
      (select count(*)::int from sessions where schedule in ('dispatched', 'leased')
        and organization_id = ${organizationId}) as turns`.execute(db.kysely);
  return result.rows[0]!;
}

export interface HeldSession {
  readonly sessionId: string;
  readonly agentId: string;
  readonly reason: string;
  /** When the waiting message was accepted. */
  readonly since: Date;
}

/**
 * Lists sessions whose next turn a budget or the operators' stop holds back (index sessions_held; messages_open of
 * each).
 */
export async function listHeldSessions(db: Database, organizationId: string, most: number): Promise<HeldSession[]> {
  const result = await sql<HeldSession>`
    select s.id as "sessionId", s.agent_id as "agentId", s.blocked_reason as reason, m.created_at as since
    from (select id, agent_id, blocked_reason from sessions where organization_id = ${organizationId}
      and blocked_reason in ('budget', 'paused') order by agent_id, id limit ${most}) s
    cross join lateral (select created_at from messages where session_id = s.id and completed_at is null
      order by sequence_number limit 1) m`.execute(db.kysely);
  return result.rows;
}
