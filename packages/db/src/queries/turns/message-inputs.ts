// Inputs that agents ask for during a message: read, answered, expired. Each change is one SQL function.

import type { InputState } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";

export interface MessageInputRow {
  readonly state: InputState;
  readonly schema: Record<string, unknown>;
  /** Whether it asks for a higher limit. */
  readonly isBudget: boolean;
}

/** Finds an input by primary key. Does not find inputs of deleted sessions. */
export async function findInput(
  db: Database,
  organizationId: string,
  messageId: string,
  key: string,
): Promise<MessageInputRow | undefined> {
  const result = await sql<MessageInputRow>`
    select i.state, i.schema, i.budget is not null as "isBudget"
    from message_inputs i join sessions s on s.id = i.session_id and s.deleted_at is null
    where i.message_id = ${messageId} and i.key = ${key} and i.organization_id = ${organizationId}`.execute(db.kysely);
  return result.rows[0];
}

export interface InputAnswer {
  readonly organizationId: string;
  readonly messageId: string;
  readonly key: string;
  /** Satisfies the input's schema and can be stored. */
  readonly value: unknown;
  /** If set, the session can go straight to `dispatched`, and the caller delivers it. */
  readonly dispatchTtlMs: number | undefined;
}

export interface AnsweredInput {
  readonly outcome: "answered" | "not_found" | "not_asked" | "answered_before" | "over";
  readonly sessionId: string;
  /** What the session was moved to. `idle`: the answer has ended the message. */
  readonly schedule: "ready" | "dispatched" | "blocked" | "idle";
  readonly dispatchNumber: number;
  readonly attemptsLeft: number;
}

/** Stores the answer if the input waits for one, and lets its message continue. */
export async function answerIfWaiting(db: Database, answer: InputAnswer): Promise<AnsweredInput> {
  const result = await sql<AnsweredInput>`
    select outcome, session_id as "sessionId", schedule, dispatch_number as "dispatchNumber",
      attempts_left as "attemptsLeft"
    from answer_input(p_organization => ${answer.organizationId}, p_message => ${answer.messageId},
      p_key => ${answer.key}, p_value => ${JSON.stringify(answer.value)}::jsonb,
      p_dispatch_ttl_ms => ${answer.dispatchTtlMs ?? null}::int)`.execute(db.kysely);
  const row = result.rows[0];
  if (row === undefined) throw new Error("a database function returned no row");
  return row;
}

export interface ExpiredInput {
  readonly sessionId: string;
  readonly organizationId: string;
  readonly messageId: string;
}

/** Fails messages whose inputs were not answered in time, at most `limit`. Skips locked rows. */
export async function expireOverdue(db: Database, limit: number): Promise<ExpiredInput[]> {
  const result = await sql<ExpiredInput>`
    select session_id as "sessionId", organization_id as "organizationId", message_id as "messageId"
    from expire_inputs(${limit})`.execute(db.kysely);
  return result.rows;
}
