// What must always hold, as SQL that returns no row. One definition for tests, chaos, the reconciler and operators.

import { sql } from "kysely";
import type { Database } from "../database.ts";

export interface Invariant {
  readonly name: string;
  readonly says: string;
  readonly query: string;
}

export const invariants: readonly Invariant[] = [
  {
    name: "one_running_turn_per_session",
    says: "a session has at most one running message",
    query: "select session_id from messages where state = 'running' group by session_id having count(*) > 1",
  },
  {
    name: "lease_has_its_running_message",
    says: "a leased session has a running message of its fence, and only a leased session has one",
    query: `select s.id from sessions s left join messages m on m.session_id = s.id and m.state = 'running'
      where (s.schedule = 'leased') <> (m.id is not null) or m.fence <> s.fence`,
  },
  {
    name: "finish_order_is_sequence_order",
    says: "messages of a session finish in their order (cancelled and merged ones excepted)",
    query: `select id from (
        select id, completed_at, max(completed_at) over (
          partition by session_id order by sequence_number rows between unbounded preceding and 1 preceding) as before
        from messages where state in ('completed', 'failed') and merged_into is null) x
      where completed_at < before`,
  },
  {
    name: "no_attempt_overlaps",
    says: "attempts of a session never overlap",
    query: `select id from (
        select id, claimed_at, max(coalesce(ended_at, 'infinity')) over (
          partition by session_id order by fence rows between unbounded preceding and 1 preceding) as before
        from attempts) x
      where claimed_at < before`,
  },
  {
    name: "completed_message_has_one_snapshot",
    says: "a completed message that was not merged has exactly one turn snapshot, made by its own attempt",
    query: `select m.id from messages m where m.state = 'completed' and m.merged_into is null and (
        select count(*) from snapshots s join attempts a on a.session_id = s.session_id and a.fence = s.fence
        where s.message_id = m.id and s.kind = 'turn' and s.id = m.snapshot_id
          and a.message_id = m.id and a.outcome = 'completed') <> 1`,
  },
  {
    name: "snapshot_parent_was_head",
    says: "a turn's snapshot continues the one of the completed turn before it",
    query: `select id from (
        select s.id, s.parent_id, lag(s.id) over (partition by s.session_id order by m.sequence_number) as before
        from snapshots s join messages m on m.id = s.message_id where s.kind = 'turn') x
      where parent_id is distinct from before
        and not exists (select 1 from snapshots w where w.id = x.parent_id and w.kind = 'write')`,
  },
  {
    name: "head_is_last_turn",
    says: "a session's head is the snapshot of its last completed turn",
    query: `select s.id from sessions s join lateral (
        select snapshot_id from messages where session_id = s.id and state = 'completed' and merged_into is null
        order by sequence_number desc limit 1) m on true
      where s.head_snapshot_id is distinct from m.snapshot_id
        and not exists (select 1 from snapshots w where w.id = s.head_snapshot_id and w.kind = 'write')`,
  },
  {
    name: "one_counted_outcome",
    says: "a completed message that was not merged has exactly one completed attempt",
    query: `select m.id from messages m where m.state = 'completed' and m.merged_into is null
      and (select count(*) from attempts a where a.message_id = m.id and a.outcome = 'completed') <> 1`,
  },
  {
    name: "merged_message_ran_nothing",
    says: "a merged message has no attempt, no input and no snapshot, and is part of a later message of its session",
    query: `select m.id from messages m left join messages i on i.id = m.merged_into
      where m.merged_into is not null and (
        i.session_id is distinct from m.session_id or i.sequence_number <= m.sequence_number or m.state <> 'completed'
        or m.output is not null or m.started_at is not null
        or exists (select 1 from attempts a where a.message_id = m.id)
        or exists (select 1 from session_inputs x where x.message_id = m.id)
        or exists (select 1 from snapshots s where s.message_id = m.id))`,
  },
  {
    name: "rolled_back_message_left_nothing",
    says: "a message that was rolled back is never completed and made no turn snapshot",
    query: `select m.id from messages m where m.rolled_back_by is not null and (m.state in ('completed', 'failed')
        or exists (select 1 from snapshots s where s.message_id = m.id and s.kind = 'turn'))`,
  },
  {
    name: "attempts_within_limit",
    says: "no message has more counted attempts than its manifest allows",
    query: `select m.id from messages m where m.attempts > m.max_attempts or m.attempts <> (
        select count(*) from attempts a where a.message_id = m.id and a.called_at is not null
          and a.outcome is distinct from 'released')`,
  },
  {
    name: "pending_counts_open_messages",
    says: "a session's pending is the number of its open messages",
    query: `select s.id from sessions s left join lateral (
        select count(*) as n from messages m
        where m.session_id = s.id and m.state in ('queued', 'running', 'waiting_for_input')) m on true
      where s.pending <> m.n`,
  },
  {
    name: "sequence_without_gap",
    says: "messages of a session are numbered 1..n without gap",
    query: `select session_id from messages group by session_id
      having min(sequence_number) <> 1 or max(sequence_number) <> count(*)`,
  },
  {
    name: "event_numbers_without_gap",
    says: "events of a session are numbered 1..n without gap",
    query: `select e.session_id from (
        select session_id, min(sequence_number) as low, max(sequence_number) as high, count(*) as n
        from events group by session_id) e join sessions s on s.id = e.session_id
      where e.low <> 1 or e.high <> e.n or s.next_event_number <> e.high + 1`,
  },
  {
    name: "one_terminal_event",
    says: "an ended message has exactly one terminal event, an open one none",
    query: `select m.id from messages m where (
        select count(*) from events e where e.session_id = m.session_id and e.message_id = m.id
          and e.type in ('message.completed', 'message.failed', 'message.cancelled'))
      <> (m.state in ('completed', 'failed', 'cancelled'))::int`,
  },
  {
    name: "no_side_snapshot_is_head",
    says: "what a failed attempt left behind is never a session's head",
    query: `select s.id from sessions s join snapshots x on x.id = s.head_snapshot_id
      where x.kind = 'side' or x.session_id <> s.id`,
  },
  {
    name: "tenants_do_not_mix",
    says: "rows of a session carry its organization",
    query: `select m.id from messages m join sessions s on s.id = m.session_id
        where m.organization_id <> s.organization_id
      union all select a.id from attempts a join sessions s on s.id = a.session_id
        where a.organization_id <> s.organization_id
      union all select x.id from snapshots x join sessions s on s.id = x.session_id
        where x.organization_id <> s.organization_id
      union all select s.id from sessions s join versions v on v.id = s.version_id
        where v.organization_id <> s.organization_id`,
  },
];

export interface Violation {
  readonly invariant: string;
  readonly says: string;
  readonly rows: string[];
}

/** Runs every invariant; an empty answer is a healthy platform. At most 20 rows of each are named. */
export async function findViolations(db: Database): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const invariant of invariants) {
    const result = await sql<
      Record<string, string>
    >`${sql.raw(`select * from (${invariant.query}) x limit 20`)}`.execute(db.kysely);
    if (result.rows.length > 0) {
      const rows = result.rows.map((row) => String(Object.values(row)[0]));
      violations.push({ invariant: invariant.name, says: invariant.says, rows });
    }
  }
  return violations;
}
