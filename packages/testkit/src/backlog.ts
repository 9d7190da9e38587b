// Creates many organizations and long backlogs with a few statements, for measurements at sizes that no API call
// reaches.

import type { Database } from "@dari/db";
import { createTestAgent, createTestOrganization } from "./factories.ts";

export interface TestAgent {
  readonly organizationId: string;
  readonly agentId: string;
}

/** Creates `count` organizations, each with an agent whose version is a ready copy of `versionId`. */
export async function createTestOrganizations(db: Database, count: number, versionId?: string): Promise<TestAgent[]> {
  const model = versionId ?? (await createTestAgent(db, (await createTestOrganization(db)).organizationId)).versionId;
  const more = `generate_series(1, $1) i, dari.versions v where v.id = $2`;
  const id = (prefix: string): string => `'${prefix}_' || lpad(i::text, 26, '0')`;
  const run = (text: string): Promise<unknown> => db.pool.query(text, [count, model]);
  await run(`insert into dari.organizations (id, name, slug) select ${id("org")}, 'Test', ${id("org")} from ${more}`);
  await run(
    `insert into dari.agents (id, organization_id, name) select ${id("agt")}, ${id("org")}, 'test' from ${more}`,
  );
  await run(`insert into dari.versions
      (id, organization_id, agent_id, number, source_snapshot_id, manifest, state, image, finished_at)
    select ${id("ver")}, ${id("org")}, ${id("agt")}, 1, v.source_snapshot_id, v.manifest, v.state, v.image,
       v.finished_at
    from ${more}`);
  await run(`update dari.agents a set active_version_id = made.version from (
      select ${id("agt")} as agent, ${id("ver")} as version from ${more}) made where a.id = made.agent`);
  const all = `select id as "agentId", organization_id as "organizationId" from dari.agents
    where id like 'agt_00000000%' order by id limit ${count}`;
  return (await db.pool.query<TestAgent>(all)).rows;
}

/**
 * Creates `messages` waiting messages, each in its own ready session, distributed over the organizations; then updates
 * the statistics. `text`: of each message.
 */
export async function fillBacklog(
  db: Database,
  backlog: { organizationIds: readonly string[]; messages: number; text?: string },
): Promise<void> {
  const parts = JSON.stringify([{ type: "text", text: backlog.text ?? "x".repeat(390) }]);
  await db.pool.query("select set_config('statement_timeout', '0', false)");
  await db.pool.query(
    `with owners as (
      select organization_id, id as agent_id, active_version_id as version_id, row_number() over (order by id) - 1 as n
      from dari.agents where organization_id = any ($1)),
    made as materialized (
      select o.*, lpad(i::text, 12, '0') || substr(md5(o.agent_id || i), 1, 14) as suffix
      from generate_series(1, $2) i join owners o on o.n = i % (select count(*) from owners)),
    inserted as (
      insert into dari.sessions (id, organization_id, agent_id, version_id, schedule, ready_at, pending,
        next_sequence_number, next_event_number, last_message_id)
      select 'sess_' || suffix, organization_id, agent_id, version_id, 'ready', clock_timestamp(), 1, 2, 5,
         'msg_' || suffix
      from made returning id, organization_id, last_message_id),
    sent as (
      insert into dari.messages (id, organization_id, session_id, sequence_number, parts, max_attempts)
      select last_message_id, organization_id, id, 1, $3::jsonb, 3 from inserted)
    insert into dari.events (session_id, sequence_number, organization_id, type, message_id, data)
    select id, e.n, organization_id, e.type, last_message_id, '{}' from inserted cross join (values
      (1, 'session.created'), (2, 'user.message'), (3, 'message.status_changed'),
       (4, 'session.status_changed')) e (n, type)`,
    [backlog.organizationIds, backlog.messages, parts],
  );
  await db.pool.query("vacuum (analyze) dari.organizations, dari.sessions, dari.messages, dari.events");
}
