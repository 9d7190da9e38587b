// Checks the invariants periodically on a database of any size: recent changes, and gradually everything.

import { sql, type RawBuilder } from "kysely";
import { withinTransaction, withTransaction, type Database } from "../../database.ts";
import { findViolationsWith, type Violation } from "./invariants.ts";

export interface InvariantRounds {
  /**
   * Checks sessions in flight, those whose attempts ended within the last five minutes, and the next ones of all in the
   * order of their ids: each at most 500, together at most 200,000 events. Leaves sessions with more than 50,000 events
   * to `findViolations`.
   */
  next(): Promise<Violation[]>;
}

const sessionsMax = 500;
const eventsMax = 200_000;
const eventsPerSessionMax = 50_000;
const fiveMinutesAgo = sql`clock_timestamp() - interval '5 minutes'`;

export function createInvariantRounds(db: Database): InvariantRounds {
  let after = "";
  return {
    next() {
      return withTransaction(db, async (tx) => {
        const bound = withinTransaction(db, tx);
        // Without statistics, or with those of small tables, whole tables look cheaper than 500 sessions.
        await sql`select set_config('enable_seqscan', 'off', true)`.execute(tx);
        const { ids, last } = await chooseSessions(bound, after);
        // Set first, so that sessions that cannot be checked do not block the following ones in the next round.
        after = last ?? "";
        return findViolationsWith(bound, tablesOf(ids));
      });
    },
  };
}

/** Uses sessions_in_flight, events_attempt_ended, and the primary key of sessions. */
async function chooseSessions(db: Database, after: string): Promise<{ ids: string[]; last: string | null }> {
  const result = await sql<{ ids: string[]; last: string | null }>`
    with flight as (select id from sessions where schedule in ('dispatched', 'leased') limit ${sessionsMax}),
    ended as (
      select session_id as id from events where type = 'attempt.ended' and created_at > ${fiveMinutesAgo}
      order by created_at desc limit ${sessionsMax}),
    next as (select id from sessions where id > ${after} order by id limit ${sessionsMax}),
    chosen as (
      select id, min(rank) as rank from (
        select id, 1 as rank from flight union all select id, 2 from ended union all select id, 3 from next) x
      group by id),
    sized as (
      select c.id, sum(s.next_event_number) over (order by c.rank, c.id) as events
      from chosen c cross join lateral (
        select next_event_number from sessions
         where id = c.id and next_event_number <= ${eventsPerSessionMax} offset 0) s)
    select coalesce((select array_agg(id) from sized where events <= ${eventsMax}), '{}') as ids,
      (select max(id) from next having count(*) = ${sessionsMax}) as last`.execute(db.kysely);
  return result.rows[0] ?? { ids: [], last: null };
}

/** The rows of these sessions under the names of their tables. Inlined, so that the tables' indexes are used. */
function tablesOf(ids: readonly string[]): RawBuilder<unknown> {
  const chosen = sql`(${ids}::text[])`;
  return sql`with
    sessions as not materialized (select * from dari.sessions where id = any ${chosen}),
    messages as not materialized (select * from dari.messages where session_id = any ${chosen}),
    attempts as not materialized (select * from dari.attempts where session_id = any ${chosen}),
    events as not materialized (select * from dari.events where session_id = any ${chosen}),
    message_values as not materialized (select * from dari.message_values where session_id = any ${chosen}),
    message_steps as not materialized (select * from dari.message_steps where session_id = any ${chosen}),
    recorded_answers as not materialized (select * from dari.recorded_answers where session_id = any ${chosen}),
    recordings as not materialized (select * from dari.recordings where session_id = any ${chosen}),
    message_inputs as not materialized (select * from dari.message_inputs where session_id = any ${chosen}),
    idempotency_keys as not materialized (select * from dari.idempotency_keys where created_at > ${fiveMinutesAgo}),
    snapshots as not materialized (
      select * from dari.snapshots x where x.session_id = any ${chosen} or x.id in (
        select unnest(array[s.head_snapshot_id, s.base_snapshot_id]) from dari.sessions s where s.id = any ${chosen}
        union all select unnest(array[m.snapshot_id, m.head_snapshot_id]) from dari.messages m
          where m.session_id = any ${chosen} and m.copied_from is not null))`;
}
