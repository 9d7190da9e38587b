// The steps of a turn for peers, each one prepared statement.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { newId } from "@dari/domain";
import pg from "pg";

export interface TurnJob {
  readonly id: string;
  readonly session: string;
}

export interface NewTurn extends TurnJob {
  readonly organization: string;
  readonly parts: unknown;
  readonly metadata: unknown;
}

export const openPool = (url: string): pg.Pool => new pg.Pool({ connectionString: url, max: 20 });

const emptyTree = createHash("sha256").update("").digest("hex");
const noTimings = { queue_ms: 0, image_ms: 0, restore_ms: 0, start_ms: 0, agent_ms: 0, kill_ms: 0, save_ms: 0 };

/** Returns the key's organization; undefined for an invalid key. */
export async function authenticate(pool: pg.Pool, secret: string): Promise<string | undefined> {
  const hash = createHash("sha256").update(secret).digest();
  const { rows } = await pool.query<{ organization_id: string }>({
    name: "authenticate",
    text: `select organization_id from dari.api_keys where secret_hash = $1 and revoked_at is null
      and (expires_at is null or expires_at > now())`,
    values: [hash],
  });
  return rows[0]?.organization_id;
}

export async function acceptTurn(pool: pg.Pool, turn: NewTurn): Promise<void> {
  const { rows } = await pool.query<{ ok: boolean }>({
    name: "accept",
    text: "select plain.accept($1, $2, $3, $4, $5) as ok",
    values: [turn.organization, turn.session, turn.id, JSON.stringify(turn.parts), JSON.stringify(turn.metadata)],
  });
  if (rows[0]?.ok !== true) throw new Error(`there is no session ${turn.session}`);
}

/** Runs a turn from start to end, with an agent that does nothing. */
export async function runTurn(pool: pg.Pool, job: TurnJob): Promise<void> {
  const attempt = newId("attempt");
  const started = await pool.query<{ parts: [{ text: string }] }>({
    name: "start",
    text: "select plain.start($1, $2, $3, $4) as parts",
    values: [job.session, job.id, attempt, `wrk_${process.pid}`],
  });
  // Like the null agent, the text can be how long the turn holds its slot.
  const holdMs = Number(started.rows[0]?.parts[0].text) || 0;
  if (holdMs > 0) await sleep(holdMs);
  const output = JSON.stringify({ parts: [{ type: "text", text: "ok" }] });
  const snapshot = newId("snapshot");
  await pool.query({
    name: "finish",
    text: "select plain.finish($1, $2, $3, $4, $5, $6, $7)",
    values: [job.session, job.id, attempt, snapshot, output, emptyTree, JSON.stringify(noTimings)],
  });
}

export async function readMessage(pool: pg.Pool, organization: string, id: string): Promise<Record<string, unknown>> {
  const { rows } = await pool.query<Record<string, unknown>>({
    name: "read",
    text: `select id, session_id, sequence_number, state as status, parts, metadata, output, files_changed, timings,
      snapshot_id, attempts, max_attempts, created_at, started_at, completed_at
      from dari.messages where id = $1 and organization_id = $2`,
    values: [id, organization],
  });
  return rows[0] ?? {};
}
