// Claims a turn. Each call is one SQL function: one round trip, one commit.

import { limits } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import { toTurnDetails, type TurnDetails, type TurnDetailsRow } from "./turn-details.ts";

/** A worker's claim on a session. Every write for a running turn proves all three values. */
export interface Claim {
  readonly sessionId: string;
  readonly fence: number;
  readonly token: string;
}

export interface ClaimedTurn extends Claim {
  readonly organizationId: string;
  readonly messageId: string;
  readonly attemptId: string;
  readonly attemptNumber: number;
  /** Claims of this message that ended before its entrypoint was called. */
  readonly uncountedClaims: number;
  /** Before the claim was requested, so its lease began no earlier. By this process's monotonic clock, in ms. */
  readonly askedAt: number;
  /** Undefined if claimed without them. */
  readonly details: TurnDetails | undefined;
}

export type ClaimResult =
  | { readonly outcome: "claimed"; readonly turn: ClaimedTurn }
  | { readonly outcome: "early" | "held"; readonly waitMs: number }
  /** A retry that may continue if its organization may take a slot: see `claimDueRetry`. */
  | { readonly outcome: "due"; readonly organizationId: string }
  /** The retry is ready, and is dispatched like anything else. */
  | { readonly outcome: "yielded" }
  /** `outdated`: the worker's release is too old to claim. */
  | { readonly outcome: "stale" | "outdated" };

export interface Claimant {
  readonly workerId: string;
  readonly leaseMs: number;
  readonly guarantees: unknown;
  /** Claims without the turn's details, whose error would roll back the claim. */
  readonly withoutDetails?: boolean;
}

interface ClaimRow extends Partial<TurnDetailsRow> {
  outcome: ClaimResult["outcome"];
  wait_ms: number | null;
  claimed_organization_id: string;
  session_id: string;
  message_id: string;
  fence: number;
  claim_token: string;
  attempt_number: number;
  uncounted_claims: number;
}

const claimColumns = sql.raw("c.message_id, c.fence, c.claim_token, c.attempt_number, c.uncounted_claims");

/** The claim returns what the turn starts from: one round trip, read after the claim. */
const withDetails = {
  columns: sql`${claimColumns}, d.*`,
  join: sql`left join lateral turn_details(p_message => c.message_id, p_history_messages => ${limits.historyMessages},
    p_history_bytes => ${limits.historyBytes}) d
    on c.message_id is not null`,
};
const withoutDetails = { columns: claimColumns, join: sql`` };

/** Claims the session that a turn job names, if the job is its newest dispatch. */
export async function claimIfDispatched(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  attemptId: string,
  claimant: Claimant,
): Promise<ClaimResult> {
  return claimByJob(db, job, attemptId, claimant, null);
}

/** Like `claimIfDispatched`, but the caller decides about a due retry: claim it, or make it `ready`. */
export async function claimDueRetry(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  attemptId: string,
  claimant: Claimant,
  judgement: "take" | "yield",
): Promise<ClaimResult> {
  return claimByJob(db, job, attemptId, claimant, judgement);
}

async function claimByJob(
  db: Database,
  job: { sessionId: string; dispatchNumber: number },
  attemptId: string,
  claimant: Claimant,
  retry: "take" | "yield" | null,
): Promise<ClaimResult> {
  const { columns, join } = claimant.withoutDetails === true ? withoutDetails : withDetails;
  const askedAt = performance.now();
  const row = await callOne<ClaimRow>(
    db.kysely,
    sql`select c.outcome, c.wait_ms, c.organization_id as claimed_organization_id, ${columns}
      from claim_turn(p_session => ${job.sessionId}, p_dispatch_number => ${job.dispatchNumber},
        p_worker => ${claimant.workerId}, p_attempt => ${attemptId}, p_lease_ms => ${claimant.leaseMs},
        p_guarantees => ${toJsonb(claimant.guarantees)}, p_retry => ${retry}) c ${join}`,
  );
  switch (row.outcome) {
    case "claimed":
      return { outcome: "claimed", turn: claimedTurn(row, job.sessionId, attemptId, askedAt) };
    case "early":
    case "held":
      return { outcome: row.outcome, waitMs: row.wait_ms ?? 0 };
    case "due":
      return { outcome: "due", organizationId: row.claimed_organization_id };
    case "outdated":
    case "stale":
    case "yielded":
      return { outcome: row.outcome };
  }
}

/** Claims the oldest dispatched turn, past locked ones (SKIP LOCKED). */
export function claimNextIfAny(db: Database, attemptId: string, claimant: Claimant): Promise<ClaimedTurn | undefined> {
  const { workerId, leaseMs, guarantees } = claimant;
  const claims = sql`claim_next_turn(p_worker => ${workerId}, p_attempt => ${attemptId}, p_lease_ms => ${leaseMs},
    p_guarantees => ${toJsonb(guarantees)})`;
  return claimBy(db, claims, attemptId, claimant);
}

/**
 * Returns the claim that began this attempt again; undefined if there is none, or it is over. `sessionId`, if known:
 * waits for a claim of it that still runs at the server.
 */
export function findHeldClaim(
  db: Database,
  attemptId: string,
  claimant: Claimant,
  sessionId?: string,
): Promise<ClaimedTurn | undefined> {
  const claims = sql`claim_again(p_worker => ${claimant.workerId}, p_attempt => ${attemptId},
    p_lease_ms => ${claimant.leaseMs}, p_session => ${sessionId ?? null})`;
  return claimBy(db, claims, attemptId, claimant);
}

async function claimBy(db: Database, claims: RawBuilder<unknown>, attemptId: string, claimant: Claimant) {
  const { columns, join } = claimant.withoutDetails === true ? withoutDetails : withDetails;
  const askedAt = performance.now();
  const result = await sql<ClaimRow>`select c.session_id, c.organization_id as claimed_organization_id, ${columns}
    from ${claims} c ${join}`.execute(db.kysely);
  const row = result.rows[0];
  return row === undefined ? undefined : claimedTurn(row, row.session_id, attemptId, askedAt);
}

function claimedTurn(row: ClaimRow, sessionId: string, attemptId: string, askedAt: number): ClaimedTurn {
  return {
    organizationId: row.claimed_organization_id,
    sessionId,
    fence: row.fence,
    token: row.claim_token,
    messageId: row.message_id,
    attemptId,
    attemptNumber: row.attempt_number,
    uncountedClaims: row.uncounted_claims,
    askedAt,
    details: row.manifest === undefined ? undefined : toTurnDetails(row as ClaimRow & TurnDetailsRow),
  };
}
