// Writes of a worker that holds a turn. Each proves the claim, so a superseded worker writes nothing.

import { sql } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import type { Claim } from "./claim-turn.ts";

/** Counts the attempt, just before its entrypoint is called. Returns false once superseded: then do not call it. */
export async function markCalledIfHeld(db: Database, claim: Claim, parts?: readonly unknown[]): Promise<boolean> {
  const row = await callOne<{ held: boolean }>(
    db.kysely,
    sql`select mark_called(p_session => ${claim.sessionId}, p_fence => ${claim.fence}, p_token => ${claim.token},
      p_parts => ${toJsonb(parts ?? null)}) as held`,
  );
  return row.held;
}

export interface RenewedLease {
  readonly sessionId: string;
  /** The fence of the claim, because a worker may still hold an earlier claim of the same session. */
  readonly fence: number;
  /** False if the session's row was locked. The claim is valid, but its lease is not renewed: ask again. */
  readonly isRenewed: boolean;
  readonly cancelRequested: boolean;
  readonly steeringWaits: boolean;
}

/** Renews a worker's leases in one statement. A claim that is missing from the answer is lost. */
export async function renewHeldLeases(
  db: Database,
  claims: readonly Claim[],
  leaseMs: number,
): Promise<RenewedLease[]> {
  const result = await sql<RenewedLease>`
    select session_id as "sessionId", fence, is_renewed as "isRenewed", cancel_requested as "cancelRequested",
      steering_waits as "steeringWaits"
    from renew_leases(p_sessions => ${claims.map((claim) => claim.sessionId)}::text[],
      p_fences => ${claims.map((claim) => claim.fence)}::bigint[],
      p_tokens => ${claims.map((claim) => claim.token)}::uuid[], p_lease_ms => ${leaseMs})`.execute(db.kysely);
  return result.rows;
}

export interface AttemptEvent {
  readonly type: string;
  readonly data: unknown;
  /** The event's number within its attempt, from 1. A repeated number adds nothing. */
  readonly number?: number;
}

/** Appends events of the running attempt in one statement, in their order. Returns false once superseded. */
export async function appendEventsIfHeld(
  db: Database,
  claim: Claim,
  events: readonly AttemptEvent[],
): Promise<boolean> {
  const row = await callOne<{ held: boolean }>(
    db.kysely,
    sql`select append_attempt_events(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_events => ${toJsonb(events)}) as held`,
  );
  return row.held;
}

export interface LogLine {
  readonly sequenceNumber: number;
  readonly stream: "stdout" | "stderr" | "platform";
  readonly text: string;
}

/** Appends captured output of the running attempt. Safe to repeat. Returns false once superseded. */
export async function appendLogsIfHeld(db: Database, claim: Claim, lines: readonly LogLine[]): Promise<boolean> {
  const rows = lines.map((line) => ({
    sequence_number: line.sequenceNumber,
    stream: line.stream,
    // PostgreSQL text cannot contain NUL.
    text: line.text.replaceAll("\0", "\u2400"),
  }));
  const row = await callOne<{ held: boolean }>(
    db.kysely,
    sql`select append_attempt_logs(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_lines => ${toJsonb(rows)}) as held`,
  );
  return row.held;
}
