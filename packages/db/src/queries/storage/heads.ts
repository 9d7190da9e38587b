// Changes of a head without a turn: forks, rollbacks, clients' writes. Each call is one SQL function and one commit.

import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { snapshotJson, type TurnSnapshot } from "../turns/finish-turn.ts";

export type ForkOutcome =
  | "forked"
  | "not_found"
  | "no_message"
  | "not_ended"
  | "open_before"
  | "merged"
  | "rolled_back"
  | "no_workspace"
  | "agent_gone"
  | "version_not_ready";

export interface ForkInput {
  readonly organizationId: string;
  /** The session to fork. */
  readonly sourceId: string;
  /** The message after which the fork starts (default: the last completed one). */
  readonly messageId: string | undefined;
  /** Forks before the message instead, with the workspace from before it. The message has run in this session. */
  readonly without: boolean;
  /** The id of the new session. */
  readonly sessionId: string;
  /** A ready version of the agent (default: the source's). */
  readonly versionId: string | undefined;
}

/** Creates the fork. Copies the conversation and no file. */
export async function forkSession(db: Database, input: ForkInput): Promise<ForkOutcome> {
  const result = await sql<{ outcome: ForkOutcome }>`
    select fork_session(p_organization => ${input.organizationId}, p_source => ${input.sourceId},
      p_message => ${input.messageId ?? null}, p_without => ${input.without}, p_session => ${input.sessionId},
      p_version => ${input.versionId ?? null}) as outcome`.execute(db.kysely);
  return outcomeOf(result.rows);
}

export type RollbackOutcome =
  "done" | "not_found" | "closed" | "busy" | "no_message" | "merged" | "rolled_back" | "no_workspace";

/** Rolls an idle session back to its state after a message. */
export async function rollBackIfIdle(
  db: Database,
  input: { readonly organizationId: string; readonly sessionId: string; readonly messageId: string },
): Promise<RollbackOutcome> {
  const result = await sql<{ outcome: RollbackOutcome }>`
    select rollback_session(p_organization => ${input.organizationId}, p_session => ${input.sessionId},
      p_message => ${input.messageId}) as outcome`.execute(db.kysely);
  return outcomeOf(result.rows);
}

export type WriteOutcome = "written" | "not_found" | "closed" | "busy" | "moved";

export interface HeadWrite {
  readonly organizationId: string;
  readonly sessionId: string;
  /** Its parent is the head that it was made from. */
  readonly snapshot: TurnSnapshot;
  readonly filesChanged: unknown;
  /** The message whose failed attempt left this snapshot; undefined if a client wrote it. */
  readonly messageId?: string | undefined;
  /** Whether to refuse while messages wait, and not only while a turn runs. */
  readonly whileIdle: boolean;
}

/** Makes a snapshot the head if the head is its parent. `moved`: the head has changed. */
export async function writeHeadIfAtParent(db: Database, write: HeadWrite): Promise<WriteOutcome> {
  const snapshot = JSON.stringify(snapshotJson(write.snapshot));
  const result = await sql<{ outcome: WriteOutcome }>`
    select write_head(p_organization => ${write.organizationId}, p_session => ${write.sessionId},
      p_snapshot => ${snapshot}::jsonb, p_files_changed => ${JSON.stringify(write.filesChanged)}::jsonb,
      p_message => ${write.messageId ?? null}, p_idle => ${write.whileIdle})
      as outcome`.execute(db.kysely);
  return outcomeOf(result.rows);
}

function outcomeOf<T>(rows: readonly { outcome: T }[]): T {
  const row = rows[0];
  if (row === undefined) throw new Error("a database function returned no row");
  return row.outcome;
}
