// The minimum rows for a turn: an organization, an agent with a ready version, sessions.

import { newId, type MessageLimits, type OnBusy } from "@dari/domain";
import { createTestDatabase, type TestDatabase } from "@dari/testkit";
import { sql, type RawBuilder } from "kysely";
import {
  dispatch,
  turns,
  type AcceptedMessage,
  type ClaimedTurn,
  type AttachedFile,
  type TurnSnapshot,
} from "../src/index.ts";

export interface Scene extends TestDatabase {
  readonly organizationId: string;
  readonly agentId: string;
  readonly versionId: string;
  session(): Promise<string>;
  send(sessionId: string): Promise<string>;
  /** Like `send`, but returns any outcome. */
  accept(sessionId: string, options?: SendOptions): Promise<AcceptedMessage & { messageId: string }>;
  /** Dispatches and claims the session's head. */
  claim(sessionId: string, leaseMs?: number): Promise<ClaimedTurn>;
  dispatchOnly(sessionId: string): Promise<number>;
  row(sessionId: string): Promise<{ schedule: string; pending: number; fence: number }>;
  message(messageId: string): Promise<{ state: string; attempts: number; max_attempts: number; output: unknown }>;
  eventTypes(sessionId: string): Promise<string[]>;
}

export interface SendOptions {
  readonly text?: string;
  readonly attachments?: readonly AttachedFile[];
  readonly onBusy?: OnBusy;
  readonly retryOf?: string;
  readonly limits?: MessageLimits;
}

interface SceneOptions {
  readonly maxAttempts?: number;
  /** `retries.on_worker_lost` (default: false). */
  readonly onWorkerLost?: boolean;
  readonly building?: boolean;
  /** `retries.record_answers.keep_days`. Default: absent. */
  readonly keepDays?: number;
}

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const database = await createTestDatabase();
  const { db } = database;
  const ids = {
    organizationId: newId("organization"),
    agentId: newId("agent"),
    sourceId: newId("sourceSnapshot"),
    versionId: newId("version"),
  };
  const kept = options.keepDays === undefined ? {} : { record_answers: { keep_days: options.keepDays } };
  const retries = { max_attempts: options.maxAttempts ?? 3, on_worker_lost: options.onWorkerLost ?? false, ...kept };
  const manifest = { runtime: { timeout_seconds: 60 }, retries };
  const run = (statement: RawBuilder<unknown>): Promise<unknown> => statement.execute(db.kysely);
  const { organizationId, agentId, sourceId, versionId } = ids;
  await run(sql`insert into organizations (id, name, slug) values (${organizationId}, 'one', ${organizationId})`);
  await run(sql`insert into agents (id, organization_id, name) values (${agentId}, ${organizationId}, 'a')`);
  await run(sql`insert into source_snapshots (id, organization_id, sha256, size_bytes, object_key, upload_expires_at)
    values (${sourceId}, ${organizationId}, 'x', 1, 'k', now())`);
  await run(sql`insert into versions (id, organization_id, agent_id, number, source_snapshot_id, manifest)
    values (${versionId}, ${organizationId}, ${agentId}, 1, ${sourceId}, ${JSON.stringify(manifest)}::jsonb)`);
  if (options.building !== true) {
    await run(sql`update versions set state = 'ready', image = '{}', finished_at = now() where id = ${versionId}`);
  }

  const dispatchOnly = async (sessionId: string): Promise<number> => {
    const moved = await dispatch.dispatchIfReady(db, [{ organizationId: ids.organizationId, count: 100 }], 5_000);
    const mine = moved.find((turn) => turn.sessionId === sessionId);
    if (mine === undefined) throw new Error("the session was not ready");
    return mine.dispatchNumber;
  };
  const accept: Scene["accept"] = async (
    sessionId,
    { text = "hello", attachments = [], onBusy, retryOf, limits } = {},
  ) => {
    const messageId = newId("message");
    const accepted = await turns.acceptMessage(db, {
      organizationId: ids.organizationId,
      sessionId,
      messageId,
      parts: [{ type: "text", text }],
      metadata: {},
      attachments,
      dispatchTtlMs: undefined,
      onBusy,
      retryOf,
      limits,
    });
    return { ...accepted, messageId };
  };
  return {
    ...database,
    organizationId: ids.organizationId,
    agentId: ids.agentId,
    versionId: ids.versionId,
    dispatchOnly,
    accept,
    async session() {
      const id = newId("session");
      await sql`insert into sessions (id, organization_id, agent_id, version_id)
        values (${id}, ${ids.organizationId}, ${ids.agentId}, ${ids.versionId})`.execute(db.kysely);
      return id;
    },
    async send(sessionId) {
      const accepted = await accept(sessionId);
      if (accepted.outcome !== "accepted") throw new Error(`refused: ${accepted.outcome}`);
      return accepted.messageId;
    },
    async claim(sessionId, leaseMs = 60_000) {
      const job = { sessionId, dispatchNumber: await dispatchOnly(sessionId) };
      const result = await turns.claimIfDispatched(db, job, newId("attempt"), {
        workerId: "w",
        leaseMs,
        guarantees: {},
      });
      if (result.outcome !== "claimed") throw new Error(`not claimed: ${result.outcome}`);
      return result.turn;
    },
    row: (id) => one(sql`select schedule, pending, fence from sessions where id = ${id}`.execute(db.kysely)),
    message: (id) =>
      one(sql`select state, attempts, max_attempts, output from messages where id = ${id}`.execute(db.kysely)),
    async eventTypes(id) {
      const rows = await sql<{ type: string }>`select type from events where session_id = ${id}
        order by sequence_number`.execute(db.kysely);
      return rows.rows.map((row) => row.type);
    },
  };
}

async function one<T>(result: Promise<{ rows: unknown[] }>): Promise<T> {
  const row = (await result).rows[0];
  if (row === undefined) throw new Error("no such row");
  return row as T;
}

/** Returns a snapshot of an empty workspace on top of `parentId`. */
export function emptySnapshot(parentId: string | null): TurnSnapshot {
  return {
    id: newId("snapshot"),
    parentId,
    objectKey: null,
    isFull: true,
    deltaDepth: 0,
    treeHash: "empty",
    sizeBytes: 0,
    files: 0,
    totalBytes: 0,
  };
}
