// What an organization's turns did by day, what runs now, and what waits for a person.

import { limits } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";
import { wordsOf } from "../turns/session-summaries.ts";

export interface OverviewFigures {
  readonly messages: number;
  readonly failed: number;
  readonly turns: number;
  readonly tokens: number;
  /** Null: no attempt reported a cost. */
  readonly costUsd: number | null;
  /** Seconds from start to end of completed messages. Null: none completed. */
  readonly p50: number | null;
  readonly p95: number | null;
  /** Seconds from acceptance to start. Null: none started. */
  readonly waitedP50: number | null;
  readonly waitedP95: number | null;
}

export interface OverviewSums {
  /** By UTC day, oldest first. */
  readonly days: readonly (OverviewFigures & { readonly date: string })[];
  readonly total: OverviewFigures;
  /** Acceptance time of the first counted message; undefined if there is none. */
  readonly firstAt: Date | undefined;
  readonly isCut: boolean;
}

export interface OverviewWindow {
  readonly since: Date;
  /** An id as of a message accepted at that time; older messages have lesser ids. */
  readonly afterId: string;
  /** How many of the newest messages are read. */
  readonly messages: number;
}

/** More than any real cost of a turn. Invented numbers must not add up to an overflow. */
const costMax = 1_000_000;

interface SumsRow extends OverviewFigures {
  /** Null: all days together. */
  readonly date: string | null;
  readonly firstAt: Date | null;
  readonly isCut: boolean;
}

/**
 * Sums over the newest messages of a window and their attempts (indexes messages_by_organization, by the order of ids,
 * and attempts_by_message). A message counts on the day of its acceptance; copies in forks do not count.
 */
export async function sumOverview(
  db: Database,
  organizationId: string,
  { since, afterId, messages }: OverviewWindow,
): Promise<OverviewSums> {
  const result = await sql<SumsRow>`
    with bound as (
      select id from messages where organization_id = ${organizationId} and id > ${afterId}
      order by id desc offset ${messages} limit 1),
    looked as materialized (
      select m.id, m.state, m.created_at, (m.created_at at time zone 'UTC')::date as day,
        extract(epoch from m.completed_at - m.started_at)::float8 as took,
        extract(epoch from m.started_at - m.created_at)::float8 as waited
      from messages m
      where m.organization_id = ${organizationId} and m.id > coalesce((select id from bound), ${afterId})
        and m.created_at >= ${since} and m.copied_from is null),
    used as (
      select l.day, count(*)::int as turns, coalesce(sum(a.tokens), 0)::float8 as tokens,
        sum(case when jsonb_typeof(a.usage -> 'cost_usd') = 'number'
          then least(${costMax}, greatest(0, (a.usage ->> 'cost_usd')::numeric))::float8 end) as cost
      from looked l join attempts a on a.message_id = l.id and a.called_at is not null
      group by l.day),
    days as (
      select day, count(*)::int as messages, (count(*) filter (where state = 'failed'))::int as failed,
        percentile_cont(array[0.5, 0.95]) within group (order by took) filter (where state = 'completed') as took,
        percentile_cont(array[0.5, 0.95]) within group (order by waited) filter (where waited is not null) as waited,
        min(created_at) as first_at
      from looked group by grouping sets ((day), ()))
    select to_char(d.day, 'YYYY-MM-DD') as date, d.messages, d.failed, coalesce(u.turns, 0) as turns,
      coalesce(u.tokens, 0) as tokens, u.cost as "costUsd", d.took[1] as p50, d.took[2] as p95,
      d.waited[1] as "waitedP50", d.waited[2] as "waitedP95", d.first_at as "firstAt",
      exists (select 1 from bound) as "isCut"
    from days d left join used u on u.day = d.day
    order by d.day nulls last`.execute(db.kysely);
  // Grouping without rows still returns the row of all days. It lacks the sums over attempts, which would need a sort.
  const all = result.rows.find(({ date }) => date === null)!;
  const days = result.rows.flatMap(({ date, ...row }) => (date === null ? [] : [{ ...row, date }]));
  const costs = days.flatMap(({ costUsd }) => costUsd ?? []);
  const total = {
    ...all,
    turns: sum(days.map(({ turns }) => turns)),
    tokens: sum(days.map(({ tokens }) => tokens)),
    costUsd: costs.length === 0 ? null : sum(costs),
  };
  return { days, total, firstAt: all.firstAt ?? undefined, isCut: all.isCut };
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((all, amount) => all + amount, 0);
}

interface InSession {
  readonly sessionId: string;
  readonly title: string | null;
  readonly agentId: string;
  readonly agentName: string;
}

export interface OverviewNow {
  readonly running: readonly (InSession & {
    readonly messageId: string | null;
    readonly state: "dispatched" | "running";
    readonly attempt: number | null;
    readonly startedAt: string | null;
  })[];
  readonly inputCount: number;
  readonly inputs: readonly (InSession & {
    readonly messageId: string;
    readonly key: string;
    readonly prompt: string | null;
    readonly requestedAt: string;
    readonly expiresAt: string;
  })[];
  readonly failedCount: number;
  readonly failed: readonly (InSession & {
    readonly messageId: string;
    readonly code: string | null;
    readonly error: string | null;
    readonly failedAt: string;
  })[];
  readonly heldCount: number;
  readonly held: readonly (InSession & { readonly reason: "budget" | "paused"; readonly since: string })[];
}

/**
 * Lists running turns and what waits for a person: waiting inputs, messages that failed since `failedSince`, and held
 * sessions. One statement; each part reads an index of its own and a bounded number of rows (sessions_in_flight,
 * message_inputs_waiting_by_organization, messages_failed_at_by_organization, sessions_held).
 */
export async function listOverviewNow(db: Database, organizationId: string, failedSince: Date): Promise<OverviewNow> {
  const { overviewRowsMax: most, overviewCountMax: countMax, overviewFailuresMax: failuresMax } = limits;
  const result = await sql<OverviewNow>`
    with turn as materialized (
      select id, agent_id, schedule, fence, name, lease_until from sessions
      where schedule in ('dispatched', 'leased') and organization_id = ${organizationId}
      order by lease_until limit ${most}),
    input as materialized (
      select i.session_id, i.message_id, i.key, i.prompt, i.requested_at, i.expires_at
      from message_inputs i join sessions s on s.id = i.session_id and s.deleted_at is null
      where i.state = 'waiting' and i.organization_id = ${organizationId}
      order by i.requested_at limit ${countMax}),
    failure as materialized (
      select m.id, m.session_id, m.failed_at
      from (select * from messages where organization_id = ${organizationId} and failed_at >= ${failedSince}
        order by failed_at desc, id desc limit ${failuresMax}) m
      join sessions s on s.id = m.session_id and s.deleted_at is null and s.state = 'open'
      where m.copied_from is null and m.rolled_back_at is null and m.steered_into is null
        and not exists (select 1 from messages r
          where r.retry_of = m.id and r.organization_id = m.organization_id offset 0)
      order by m.failed_at desc, m.id desc limit ${countMax}),
    hold as materialized (
      select id, agent_id, name, blocked_reason from sessions
      where organization_id = ${organizationId} and blocked_reason in ('budget', 'paused')
      order by agent_id, id limit ${countMax})
    select ${listOf(sql`
        select ${inSession}, m.id as "messageId", case t.schedule when 'leased' then 'running' else 'dispatched' end
          as state, a.number as attempt, a.claimed_at as "startedAt"
        from turn t join sessions s on s.id = t.id join agents g on g.id = s.agent_id
        left join lateral (select id from messages where session_id = t.id and completed_at is null
          order by sequence_number limit 1) m on true
        left join attempts a on a.session_id = t.id and a.fence = t.fence and t.schedule = 'leased'
        order by a.claimed_at nulls last, t.id`)} as running,
      (select count(*)::int from input) as "inputCount",
      ${listOf(sql`
        select ${inSession}, i.message_id as "messageId", i.key, left(i.prompt, ${limits.summaryTextChars}) as prompt,
          i.requested_at as "requestedAt", i.expires_at as "expiresAt"
        from (select * from input order by requested_at limit ${most}) i
        join sessions s on s.id = i.session_id join agents g on g.id = s.agent_id
        order by i.requested_at`)} as inputs,
      (select count(*)::int from failure) as "failedCount",
      ${listOf(sql`
        select ${inSession}, f.id as "messageId", m.output -> 'error' ->> 'code' as code,
          left(m.output -> 'error' ->> 'message', ${limits.summaryTextChars}) as error, f.failed_at as "failedAt"
        from (select * from failure order by failed_at desc, id desc limit ${most}) f
        join messages m on m.id = f.id join sessions s on s.id = f.session_id join agents g on g.id = s.agent_id
        order by f.failed_at desc, f.id desc`)} as failed,
      (select count(*)::int from hold) as "heldCount",
      ${listOf(sql`
        select ${inSession}, h.blocked_reason as reason, m.created_at as since
        from (select * from hold order by agent_id, id limit ${most}) h
        join sessions s on s.id = h.id join agents g on g.id = s.agent_id
        cross join lateral (select created_at from messages where session_id = h.id and completed_at is null
          order by sequence_number limit 1) m
        order by m.created_at`)} as held`.execute(db.kysely);
  return result.rows[0]!;
}

/** Columns of `InSession`, from sessions s and agents g. */
const inSession = sql`s.id as "sessionId", coalesce(s.name, (select ${wordsOf(sql`f.parts`, sql`f.parts`)}
  from messages f where f.session_id = s.id and f.sequence_number = 1)) as title, g.id as "agentId",
  g.name as "agentName"`;

function listOf(rows: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(select coalesce(json_agg(x), '[]') from (${rows}) x)`;
}
