// Creates a backlog as rows, with a few statements however large it is.

import { sql } from "kysely";
import type { Database } from "../src/index.ts";

export interface BacklogSize {
  readonly organizations: number;
  /** Sessions of each organization. Each session has one waiting message. */
  readonly sessions: number;
  /** Messages that wait in one more session of the first organization. */
  readonly longSession?: number;
}

export interface BacklogRows {
  readonly organizationId: string;
  /** A session without open messages. */
  readonly idleSession: string;
  /** The session with many messages, if there is one. */
  readonly longSession: string;
}

/** Inserts rows as `accept_message` leaves them, all of them ready. `prefix` separates the ids of several backlogs. */
export async function fillBacklog(db: Database, prefix: string, size: BacklogSize): Promise<BacklogRows> {
  const run = (statement: string): Promise<unknown> => sql.raw(statement).execute(db.kysely);
  const orgs = `generate_series(1, ${size.organizations}) o`;
  const org = `'org_${prefix}' || lpad(o::text, 7, '0')`;
  const key = `'${prefix}' || lpad(o::text, 7, '0') || lpad(n::text, 7, '0')`;
  const manifest = `{"runtime": {"timeout_seconds": 60}, "retries": {"max_attempts": 3}}`;
  await run(`insert into organizations (id, name, slug) select ${org}, 'o', ${org} from ${orgs}`);
  await run(`insert into agents (id, organization_id, name) select 'agt_${prefix}' || o, ${org}, 'a' from ${orgs}`);
  await run(`insert into source_snapshots (id, organization_id, sha256, size_bytes, object_key, upload_expires_at)
    select 'src_${prefix}' || o, ${org}, 'x', 1, 'k', now() from ${orgs}`);
  await run(`insert into versions (id, organization_id, agent_id, number, source_snapshot_id, manifest, state, image,
      finished_at)
    select 'ver_${prefix}' || o, ${org}, 'agt_${prefix}' || o, 1, 'src_${prefix}' || o, '${manifest}', 'ready',
       '{}', now()
    from ${orgs}`);
  const each = `${orgs}, generate_series(1, ${size.sessions}) n`;
  await run(`insert into sessions (id, organization_id, agent_id, version_id, schedule, ready_at, pending,
      next_sequence_number, next_event_number)
    select 'sess_' || ${key}, ${org}, 'agt_${prefix}' || o, 'ver_${prefix}' || o, 'ready', clock_timestamp(), 1, 2, 1
    from ${each}`);
  await run(`insert into messages (id, organization_id, session_id, sequence_number, parts, max_attempts)
    select 'msg_' || ${key}, ${org}, 'sess_' || ${key}, 1, '[{"type": "text", "text": "hello"}]', 3 from ${each}`);

  const organizationId = `org_${prefix}0000001`;
  const long = size.longSession ?? 0;
  await run(`insert into sessions (id, organization_id, agent_id, version_id, schedule, ready_at, pending,
      next_sequence_number)
    select 'sess_${prefix}' || name, '${organizationId}', 'agt_${prefix}1', 'ver_${prefix}1',
      case when n > 0 then 'ready' else 'idle' end, case when n > 0 then clock_timestamp() end, n, n + 1
    from (values ('idle', 0), ('long', ${long})) x (name, n)`);
  await run(`insert into messages (id, organization_id, session_id, sequence_number, parts, max_attempts)
    select 'msg_${prefix}long' || n, '${organizationId}', 'sess_${prefix}long', n,
      '[{"type": "text", "text": "hello"}]', 3 from generate_series(1, ${long}) n`);
  return { organizationId, idleSession: `sess_${prefix}idle`, longSession: `sess_${prefix}long` };
}
