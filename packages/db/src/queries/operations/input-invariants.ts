// What holds of messages that wait for an input, and of limits that answers have raised.

import type { Invariant } from "./invariant.ts";

export const inputInvariants: readonly Invariant[] = [
  {
    name: "waiting_session_has_its_input",
    says: "a session is blocked for an input, its next message waits for one, and one input waits, or none of these",
    reads: "each session, with its first open message and its waiting input by index",
    query: `select s.id from sessions s left join lateral (
        select id, state from messages where session_id = s.id and completed_at is null
        order by sequence_number limit 1) m on true
        left join message_inputs i on i.session_id = s.id and i.state = 'waiting'
      where (s.blocked_reason is not distinct from 'input') <> (i.message_id is not null)
        or (m.state is not distinct from 'waiting_for_input') <> (i.message_id is not null)
        or i.message_id <> m.id`,
  },
  {
    name: "only_the_next_message_waits",
    says: "no message waits for an input behind another open one of its session",
    reads: "each message that waits for an input, with the open ones by index",
    query: `select m.id from messages m where m.state = 'waiting_for_input' and exists (
        select 1 from messages x where x.session_id = m.session_id and x.completed_at is null
          and x.sequence_number < m.sequence_number)`,
  },
  {
    name: "suspended_once_per_input",
    says: "a message has as many suspended attempts as inputs of its agent, and has asked for one at a time",
    reads: "each input and each suspended attempt, with its message by key",
    query: `select coalesce(i.message_id, a.message_id) from (
        select message_id, nullif(count(*) filter (where budget is null), 0) as n, count(*) as total,
          max(number) as high
        from message_inputs group by message_id) i
      full join (
        select message_id, count(*) as n from attempts where outcome = 'suspended' group by message_id) a
        on a.message_id = i.message_id
      where i.n is distinct from a.n or i.high <> i.total`,
  },
  {
    name: "raised_as_answered",
    says: "a message has raised limits exactly if it has asked for higher ones",
    reads: "each input that asks for a higher limit, with its message by key, and each message with raised limits",
    query: `select i.message_id from message_inputs i join messages m on m.id = i.message_id
        where i.budget is not null and m.raised_limits is null
      union all select m.id from messages m where m.raised_limits is not null and not exists (
        select 1 from message_inputs i where i.message_id = m.id and i.budget is not null)`,
  },
  {
    name: "resumed_on_what_it_left",
    says: "an open message continues at its last suspended attempt's side snapshot, a child of its session's head",
    reads: "each open message, with its last suspended attempt by index",
    query: `select m.id from messages m join sessions s on s.id = m.session_id left join lateral (
        select a.side_snapshot_id from attempts a where a.message_id = m.id and a.outcome = 'suspended'
        order by a.fence desc limit 1) a on true
        left join snapshots x on x.id = m.resume_snapshot_id
      where m.completed_at is null and (m.resume_snapshot_id is distinct from a.side_snapshot_id
        or m.resume_snapshot_id is not null and (x.kind is distinct from 'side' or x.message_id <> m.id
          or x.parent_id is distinct from s.head_snapshot_id))`,
  },
];
