// What must always hold, as SQL that returns no row. The only definition, for tests, chaos, the reconciler and
// operators.

import { sql, type RawBuilder } from "kysely";
import type { Database } from "../../database.ts";
import { holdInvariants } from "./hold-invariants.ts";
import { inputInvariants } from "./input-invariants.ts";
import type { Invariant } from "./invariant.ts";

export const invariants: readonly Invariant[] = [
  {
    name: "one_running_turn_per_session",
    says: "a session has at most one running message",
    reads: "each message's state",
    query: "select session_id from messages where state = 'running' group by session_id having count(*) > 1",
  },
  {
    name: "lease_has_its_running_message",
    says: "a leased session has a running message of its fence, and only a leased session has one",
    reads: "each session, with its messages",
    query: `select s.id from sessions s left join messages m on m.session_id = s.id and m.state = 'running'
      where (s.schedule = 'leased') <> (m.id is not null) or m.fence <> s.fence`,
  },
  {
    name: "finish_order_is_sequence_order",
    says: "messages of a session finish in their order (cancelled and merged ones excepted)",
    reads: "each message once, in order",
    query: `select id from (
        select id, completed_at, max(completed_at) over (
          partition by session_id order by sequence_number rows between unbounded preceding and 1 preceding) as before
        from messages where state in ('completed', 'failed') and merged_into is null) x
      where completed_at < before`,
  },
  {
    name: "no_attempt_overlaps",
    says: "attempts of a session never overlap",
    reads: "each attempt once, in order",
    query: `select id from (
        select id, claimed_at, max(coalesce(ended_at, 'infinity')) over (
          partition by session_id order by fence rows between unbounded preceding and 1 preceding) as before
        from attempts) x
      where claimed_at < before`,
  },
  {
    name: "completed_message_has_one_snapshot",
    says: "a completed message that was not merged has exactly one turn snapshot, made by its own attempt",
    reads: "each completed message, with its snapshots and attempts by index",
    query: `select m.id from messages m
      where m.state = 'completed' and m.merged_into is null and m.copied_from is null and (
        select count(*) from snapshots s join attempts a on a.session_id = s.session_id and a.fence = s.fence
        where s.message_id = m.id and s.kind = 'turn' and s.id = m.snapshot_id
          and a.message_id = m.id and a.outcome = 'completed') <> 1`,
  },
  {
    name: "snapshot_parent_was_head",
    says: "a turn's snapshot continues the one of the completed turn before it that was not rolled back",
    reads: "each completed message once, in order, with its snapshot by key",
    query: `select id from (
        select m.id, m.copied_from, x.parent_id, lag(m.snapshot_id) over (
          partition by m.session_id order by m.sequence_number) as before
        from messages m join snapshots x on x.id = m.snapshot_id
        where m.state = 'completed' and m.rolled_back_at is null) turns
      where copied_from is null and parent_id is distinct from before
        and not exists (select 1 from snapshots w where w.id = turns.parent_id and w.kind = 'write')`,
  },
  {
    name: "head_is_last_turn",
    says: "a session's head is the snapshot of its last completed turn that was not rolled back, or a client's write",
    reads: "each session, with its last completed message by index",
    query: `select s.id from sessions s left join lateral (
        select snapshot_id from messages where session_id = s.id and state = 'completed' and merged_into is null
          and rolled_back_at is null
        order by sequence_number desc limit 1) m on true
      where s.head_snapshot_id is distinct from m.snapshot_id
        and not exists (select 1 from snapshots w where w.id = s.head_snapshot_id and w.kind = 'write')`,
  },
  {
    name: "one_counted_outcome",
    says: "a completed message that was not merged has exactly one completed attempt",
    reads: "each completed message, with its attempts by index",
    query: `select m.id from messages m
      where m.state = 'completed' and m.merged_into is null and m.copied_from is null
        and (select count(*) from attempts a where a.message_id = m.id and a.outcome = 'completed') <> 1`,
  },
  {
    name: "merged_message_ran_nothing",
    says: "a merged message has no attempt, no input and no snapshot, and is part of another message of its session",
    reads: "each merged message, with what it could have by index",
    query: `select m.id from messages m left join messages i on i.id = m.merged_into
      where m.merged_into is not null and (
        i.session_id is distinct from m.session_id or m.state <> 'completed'
        or (i.sequence_number > m.sequence_number) <> (m.steered_into is null)
        or m.output is not null or m.started_at is not null
        or exists (select 1 from attempts a where a.message_id = m.id)
        or exists (select 1 from session_inputs x where x.message_id = m.id)
        or exists (select 1 from snapshots s where s.message_id = m.id))`,
  },
  {
    name: "steering_message_is_part_of_its_turn",
    says: "a message that steered is behind its target in the same session, and an event of that attempt says so",
    reads: "each message that steered, with its target, its attempt and its event by key",
    query: `select m.id from messages m left join messages t on t.id = m.steered_into
      left join attempts a on a.id = m.steered_attempt
      left join events e on e.session_id = m.session_id and e.sequence_number = m.steered_event
      where (m.steered_into is null) <> (m.steered_event is null)
        or m.steered_attempt is not null and m.steered_into is null
        or m.steered_into is not null and (
          t.session_id is distinct from m.session_id or t.sequence_number >= m.sequence_number
          or m.state = 'completed' and m.merged_into is distinct from m.steered_into
          or e.type is distinct from 'message.steered' or e.message_id is distinct from m.id
          or e.data ->> 'into' is distinct from m.steered_into
          or m.copied_from is null and (a.message_id is distinct from m.steered_into or not m.is_steering
            or e.attempt_id is distinct from a.id))`,
  },
  {
    name: "taken_message_ends_with_its_turn",
    says: "an open message is taken only by its session's running attempt, and nothing open is between the two",
    reads: "each open message, with its attempt by key",
    query: `select m.id from messages m left join attempts a on a.id = m.steered_attempt
      where m.completed_at is null and m.steered_into is not null and (a.ended_at is not null or a.id is null
        or m.state <> 'queued' or exists (
          select 1 from messages x where x.session_id = m.session_id and x.completed_at is null
            and x.sequence_number < m.sequence_number and x.id <> m.steered_into
            and x.steered_into is distinct from m.steered_into))`,
  },
  {
    name: "attempt_counts_what_it_took",
    says: "an attempt counts the messages that it has taken",
    reads: "each message that steered by index, and its attempt by key",
    query: `select m.steered_attempt from (
        select steered_attempt, count(*) as n from messages
        where steered_event is not null and steered_attempt is not null group by steered_attempt) m
      left join attempts a on a.id = m.steered_attempt
      where m.n > coalesce(a.steered_messages, 0)`,
  },
  {
    name: "rolled_back_message_left_nothing",
    says: "a message that was rolled back is never completed and made no turn snapshot",
    reads: "each message that was rolled back",
    query: `select m.id from messages m where m.rolled_back_by is not null and (m.state in ('completed', 'failed')
        or exists (select 1 from snapshots s where s.message_id = m.id and s.kind = 'turn'))`,
  },
  {
    name: "attempts_within_limit",
    says: "a message has as many attempts as have ended and count, and no more than it may have",
    reads: "each message, with its attempts by index",
    query: `select m.id from messages m where m.attempts > m.max_attempts
      or m.copied_from is null and m.attempts <> (
        select count(*) from attempts a where a.message_id = m.id and a.called_at is not null
          and coalesce(a.outcome, '') not in ('released', 'suspended')
          and a.ended_at is not null)`,
  },
  {
    name: "value_belongs_to_its_message",
    says: "a value names a message of its session, and has the organization of both",
    reads: "each value, with its message by key",
    query: `select v.id from message_values v left join messages m on m.id = v.message_id
      where m.session_id is distinct from v.session_id or m.organization_id <> v.organization_id`,
  },
  {
    name: "record_belongs_to_its_open_message",
    says: "a recorded step or answer belongs to an open message of its session that has some, or to a recording",
    reads: "each recorded step and answer, with its message by key",
    query: `select x.message_id from (select session_id, message_id, organization_id, false as is_answer from
        message_steps union all select session_id, message_id, organization_id, true from recorded_answers) x
      left join messages m on m.id = x.message_id
      left join recordings r on x.is_answer and r.session_id = m.session_id and r.message_id = m.id
      where m.session_id is distinct from x.session_id or m.organization_id <> x.organization_id
        or m.completed_at is not null and r.message_id is null
        or not case when x.is_answer then m.has_recorded_answers else m.has_steps end`,
  },
  {
    name: "pending_counts_open_messages",
    says: "a session's pending is the number of its open messages",
    reads: "each session, and each open message once",
    query: `select s.id from sessions s left join (
        select session_id, count(*) as n from messages where completed_at is null group by session_id) m
        on m.session_id = s.id
      where s.pending <> coalesce(m.n, 0)`,
  },
  {
    name: "sequence_without_gap",
    says: "messages of a session are numbered 1..n without gap",
    reads: "each message's number",
    query: `select session_id from messages group by session_id
      having min(sequence_number) <> 1 or max(sequence_number) <> count(*)`,
  },
  {
    name: "event_numbers_without_gap",
    says: "events of a session are numbered 1..n without gap",
    reads: "each event's number",
    query: `select e.session_id from (
        select session_id, min(sequence_number) as low, max(sequence_number) as high, count(*) as n
        from events group by session_id) e join sessions s on s.id = e.session_id
      where e.low <> 1 or e.high <> e.n or s.next_event_number <> e.high + 1`,
  },
  {
    name: "one_terminal_event",
    says: "an ended message has exactly one terminal event, an open one none",
    reads: "each message, and each terminal event once",
    query: `select m.id from messages m left join (
        select e.message_id, count(*) as n from events e
        where e.type in ('message.completed', 'message.failed', 'message.cancelled') group by e.message_id) t
        on t.message_id = m.id
      where coalesce(t.n, 0) <> (m.completed_at is not null)::int`,
  },
  {
    name: "no_side_snapshot_is_head",
    says: "what a failed attempt left behind is never a session's head",
    reads: "each session, with its head by key",
    query: `select s.id from sessions s join snapshots x on x.id = s.head_snapshot_id
      where x.kind = 'side' or x.rolled_back_at is not null and x.session_id = s.id`,
  },
  {
    name: "head_is_there_and_its_own",
    says: "a session's head is a snapshot of its own, or one that it was forked with",
    reads: "each session, with its head by key",
    query: `select s.id from sessions s left join snapshots x on x.id = s.head_snapshot_id
      where s.head_snapshot_id is not null and x.session_id is distinct from s.id
        and (x.id is null or x.id is distinct from s.base_snapshot_id and not exists (
          select 1 from messages m where m.session_id = s.id and m.head_snapshot_id = x.id))`,
  },
  {
    name: "copied_message_has_its_snapshot",
    says: "a message that a fork copied ran nothing there, and what it refers to is still there",
    reads: "each copied message, with its snapshots by key",
    query: `select m.id from messages m left join snapshots x on x.id = m.snapshot_id
      left join snapshots h on h.id = m.head_snapshot_id
      where m.copied_from is not null and (
        m.snapshot_id is not null and x.id is null or m.head_snapshot_id is not null and h.id is null
        or exists (select 1 from attempts a where a.message_id = m.id))`,
  },
  {
    name: "attempt_begins_in_its_turn",
    says: "no attempt begins before the messages in front of its own have ended, or after its own has",
    reads: "each message once, in order, with its attempts by index",
    query: `select a.id from (
        select id, completed_at, max(coalesce(completed_at, 'infinity')) over (
          partition by session_id order by sequence_number rows between unbounded preceding and 1 preceding) as before
        from messages) m join attempts a on a.message_id = m.id
      where a.claimed_at < m.before or a.claimed_at > m.completed_at`,
  },
  {
    name: "open_attempt_is_the_claim",
    says: "an attempt that has not ended is its session's claim, and no attempt is newer than that",
    reads: "each attempt, with its session by key",
    query: `select a.id from attempts a join sessions s on s.id = a.session_id
      where a.fence > s.fence or a.ended_at is null and (s.schedule <> 'leased' or a.fence <> s.fence)`,
  },
  {
    name: "failed_message_failed_last",
    says: "a message that failed after it began failed in its last attempt, lost its worker, expired or was declined",
    reads: "each failed message, with its last attempt by index",
    query: `select m.id from messages m cross join lateral (
        select outcome from attempts a where a.message_id = m.id order by a.fence desc limit 1) a
      where m.state = 'failed' and m.copied_from is null and coalesce(a.outcome, '') not in ('failed', 'lost')
        and (coalesce(a.outcome, '') not in ('suspended', 'released')
          or m.output -> 'error' ->> 'code' not in ('input_expired', 'budget_exceeded'))`,
  },
  {
    name: "failed_message_says_when",
    says: "a message that failed says when it did, and no other does",
    reads: "each message's state",
    query: `select id from messages where copied_from is null and (state = 'failed') <> (failed_at is not null)`,
  },
  {
    name: "no_event_after_its_attempt",
    says: "an attempt that has ended, or was superseded, appends nothing more",
    reads: "each event of an attempt once, in order",
    query: `select session_id from (
        select session_id, type, bool_or(type = 'attempt.ended') over (
          partition by session_id, attempt_id order by sequence_number rows between unbounded preceding and 1 preceding
        ) as ended
        from events where attempt_id is not null) e
      where ended and (type in ('attempt.started', 'attempt.ended', 'assistant.message', 'plan.updated',
        'message.steered')
        or split_part(type, '.', 1) in ('agent', 'model', 'reasoning', 'step', 'subagent', 'tool'))`,
  },
  {
    name: "attempt_sums_its_model_requests",
    says: "an attempt that has ended has the sums of its requests to models, and gets no further ones",
    reads: "each attempt, with its requests by key",
    query: `select a.id from attempts a cross join lateral (
        select sum(requests) filter (where not is_recorded) as n, sum(cost_microusd) as cost,
          max(created_at) as last from dari.model_requests r
        where r.message_id = a.message_id and r.fence = a.fence) r
      where a.ended_at is not null and (r.last > a.ended_at or a.metered_requests is not null
        and (a.metered_requests, a.metered_cost_microusd) is distinct from (r.n, r.cost))`,
  },
  {
    name: "nothing_is_overdue",
    says: "a session that waits for a time or a lease is handled within two minutes of it",
    reads: "sessions in flight, and those that wait for a retry or an input, by index",
    query: `select id from sessions where schedule in ('dispatched', 'leased')
        and lease_until < clock_timestamp() - interval '2 minutes'
      union all select id from sessions where schedule = 'retry_wait'
        and ready_at < clock_timestamp() - interval '2 minutes'
      union all select session_id from message_inputs where state = 'waiting'
        and expires_at < clock_timestamp() - interval '2 minutes'`,
  },
  {
    name: "key_names_what_it_made",
    says: "a kept idempotency key names the resource that it made",
    reads: "each key",
    query: "select key from idempotency_keys where resource_id is null",
  },
  {
    name: "tenants_do_not_mix",
    says: "rows of a session carry its organization, and what belongs to a message is of the same session",
    reads: "each row of a session once",
    query: `select m.id from messages m join sessions s on s.id = m.session_id
        where m.organization_id <> s.organization_id
      union all select a.id from attempts a join sessions s on s.id = a.session_id
        where a.organization_id <> s.organization_id
      union all select x.id from snapshots x join sessions s on s.id = x.session_id
        where x.organization_id <> s.organization_id
      union all select s.id from sessions s join snapshots x on x.id in (s.head_snapshot_id, s.base_snapshot_id)
        where x.organization_id <> s.organization_id
      union all select m.id from messages m join snapshots x on x.id in (m.snapshot_id, m.head_snapshot_id)
        where x.organization_id <> m.organization_id
      union all select s.id from sessions s join versions v on v.id = s.version_id
        where v.organization_id <> s.organization_id
      union all select s.id from events e join sessions s on s.id = e.session_id
        where e.organization_id <> s.organization_id
      union all select i.session_id from message_inputs i join messages m on m.id = i.message_id
        where (i.session_id, i.organization_id) <> (m.session_id, m.organization_id)
      union all select a.id from attempts a join messages m on m.id = a.message_id where a.session_id <> m.session_id
      union all select x.id from snapshots x join sessions s on s.id = x.session_id
        left join messages m on m.id = x.message_id
        where x.message_id is not null and x.kind <> 'write' and x.session_id is distinct from m.session_id`,
  },
  ...holdInvariants,
  ...inputInvariants,
];

export interface Violation {
  readonly invariant: string;
  readonly says: string;
  readonly rows: string[];
}

/** Runs every invariant over all rows. Returns at most 20 rows of each; an empty result is a healthy platform. */
export function findViolations(db: Database): Promise<Violation[]> {
  return findViolationsWith(db, sql``);
}

/** `tables`: a WITH clause whose names replace the tables that the invariants read. */
export async function findViolationsWith(db: Database, tables: RawBuilder<unknown>): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const { name, says, query } of invariants) {
    const result = await sql<Record<string, string>>`${tables} select * from (${sql.raw(query)}) x limit 20`.execute(
      db.kysely,
    );
    if (result.rows.length > 0) {
      const rows = result.rows.map((row) => String(Object.values(row)[0]));
      violations.push({ invariant: name, says, rows });
    }
  }
  return violations;
}
