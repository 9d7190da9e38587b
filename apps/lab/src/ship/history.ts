// Creates sessions that ended long ago, as in a large installation, with few statements, in numbers that no API call
// reaches. Uses only columns that every release has had.

import type { Database } from "@dari/db";

/** Rows per statement, within a statement's time limit. */
const batchRows = 2_000;

/**
 * Creates `count` sessions of the agent, each with a message that was cancelled before it ran. Resolves with `count`.
 */
export async function addHistory(
  db: Database,
  owner: { readonly organizationId: string; readonly agentId: string },
  count: number,
): Promise<number> {
  for (let first = 1; first <= count; first += batchRows) {
    await addBatch(db, owner, first, Math.min(count, first + batchRows - 1));
  }
  await db.pool.query("analyze dari.sessions, dari.messages, dari.events");
  return count;
}

async function addBatch(
  db: Database,
  owner: { readonly organizationId: string; readonly agentId: string },
  first: number,
  last: number,
): Promise<void> {
  await db.pool.query(
    `with made as materialized (
      select a.organization_id, a.id as agent_id, a.active_version_id as version_id,
        lpad(i::text, 12, '0') || substr(md5(a.id || i), 1, 14) as suffix
      from generate_series($3::int, $4::int) i, dari.agents a where a.organization_id = $1 and a.id = $2),
    inserted as (
      insert into dari.sessions (id, organization_id, agent_id, version_id, next_sequence_number, next_event_number,
        last_message_id)
      select 'sess_' || suffix, organization_id, agent_id, version_id, 2, 5, 'msg_' || suffix
      from made returning id, organization_id, last_message_id),
    sent as (
      insert into dari.messages (id, organization_id, session_id, sequence_number, parts, max_attempts, state,
        completed_at)
      select last_message_id, organization_id, id, 1, $5::jsonb, 3, 'cancelled', clock_timestamp() from inserted)
    insert into dari.events (session_id, sequence_number, organization_id, type, message_id, data)
    select id, e.n, organization_id, e.type, last_message_id, '{}' from inserted cross join (values
      (1, 'session.created'), (2, 'user.message'), (3, 'message.status_changed'),
      (4, 'message.cancelled')) e (n, type)`,
    [owner.organizationId, owner.agentId, first, last, JSON.stringify([{ type: "text", text: "x".repeat(390) }])],
  );
}
