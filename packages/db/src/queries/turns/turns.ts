// Turns under a claim: accept, claim, prove, finish. Each call is one SQL function: one round trip, one commit.

import { limits, type Failure, type Lane, type MessageLimits, type OnBusy, type ReachedLimit } from "@dari/domain";
import { sql, type RawBuilder } from "kysely";
import { callOne } from "../../call-one.ts";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import { toTurnDetails, type PlacedAttachment, type TurnDetails, type TurnDetailsRow } from "./turn-details.ts";

/** A worker's claim on a session. Every write for a running turn proves all three values. */
export interface Claim {
  readonly sessionId: string;
  readonly fence: number;
  readonly token: string;
}

export interface AcceptedMessage {
  readonly outcome: "accepted" | "not_found" | "closed" | "version_failed" | "busy" | "unknown_file" | "input_clash";
  readonly sequenceNumber: number;
  /** What this call moved the session to; null if it did not. */
  readonly schedule: "ready" | "dispatched" | "blocked" | null;
  readonly dispatchNumber: number;
  readonly maxAttempts: number;
  /** Messages that this call ended. */
  readonly ended: readonly string[] | null;
  /** The running message that this call asked to stop. */
  readonly stopping: string | null;
  /** Whether a worker must be told that this message waits for its turn. */
  readonly steers: boolean | null;
  readonly detail: string | null;
}

export interface AttachedFile {
  readonly path: string;
  readonly fileId: string;
}

/**
 * Accepts a message at the session's end and applies `onBusy` to those before it. With `dispatchTtlMs`, an idle session
 * goes straight to `dispatched`, and the caller delivers it.
 */
export async function acceptMessage(
  db: Database,
  input: {
    organizationId: string;
    sessionId: string;
    messageId: string;
    parts: unknown;
    metadata: unknown;
    attachments: readonly AttachedFile[];
    dispatchTtlMs: number | undefined;
    /** Default: the session's setting. */
    onBusy?: OnBusy | undefined;
    /** The failed message of the same session whose attachments this one takes over. */
    retryOf?: string | undefined;
    lane?: Lane | undefined;
    conversationDigest?: Buffer | undefined;
    limits?: MessageLimits | undefined;
  },
): Promise<AcceptedMessage> {
  const attachments = input.attachments.map((one) => ({ path: one.path, file_id: one.fileId }));
  return callOne<AcceptedMessage>(
    db.kysely,
    sql`select outcome, sequence_number as "sequenceNumber", schedule, dispatch_number as "dispatchNumber",
      max_attempts as "maxAttempts", ended, stopping, steers, detail
      from accept_message(p_organization => ${input.organizationId}, p_session => ${input.sessionId},
        p_message => ${input.messageId}, p_parts => ${toJsonb(input.parts)}, p_metadata => ${toJsonb(input.metadata)},
        p_inputs => ${toJsonb(attachments)}, p_dispatch_ttl_ms => ${input.dispatchTtlMs ?? null}::int,
        p_on_busy => ${input.onBusy ?? null}, p_retry_of => ${input.retryOf ?? null},
        p_merge_parts => ${limits.mergedPartsMax}, p_merge_bytes => ${limits.mergedPartsBytes},
        p_background => ${input.lane === "background"}, p_conversation_digest => ${input.conversationDigest ?? null},
        p_limits => ${toJsonb(input.limits ?? null)})`,
  );
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
    default:
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

export type TurnEnding = "completed" | "failed" | "retry" | "released" | "cancelled" | "suspended";

export interface TurnSnapshot {
  readonly id: string;
  readonly parentId: string | null;
  readonly objectKey: string | null;
  readonly isFull: boolean;
  readonly deltaDepth: number;
  readonly treeHash: string;
  readonly sizeBytes: number;
  readonly files: number;
  readonly totalBytes: number;
}

/** What a suspended turn waits for, and what it needs to continue. `key`: empty with `budget`. */
export interface InputAsked {
  readonly key: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly prompt: string | undefined;
  readonly waitSeconds: number;
  readonly placed: readonly PlacedAttachment[];
  /** Set at a limit of the message. */
  readonly budget?: ReachedLimit | undefined;
}

export interface FinishInput {
  readonly ending: TurnEnding;
  /** With `suspended`, like a snapshot. With `budget`, `failure` says how the message fails if it is declined. */
  readonly asked?: InputAsked | undefined;
  readonly failure?: Failure | undefined;
  /** With `cancelled`: the output so far, kept if the turn was interrupted. Budgets are always charged its `usage`. */
  readonly output?: unknown;
  readonly filesChanged?: unknown;
  readonly snapshot?: TurnSnapshot | undefined;
  readonly timings?: unknown;
  /** Milliseconds until the session can be dispatched or retried. */
  readonly waitMs?: number;
  /** How many of the messages that the attempt took have reached its agent. Undefined: all. */
  readonly delivered?: number | undefined;
}

export interface FinishResult {
  readonly recorded: TurnEnding;
  /** This claim had recorded it before: a repeated call after a lost reply. */
  readonly again: boolean;
  /** More messages of the session wait. */
  readonly more: boolean;
}

/** Records how a turn ended. Returns undefined if the claim no longer holds the session: nothing was written. */
export async function finishIfHeld(db: Database, claim: Claim, input: FinishInput): Promise<FinishResult | undefined> {
  const snapshot = toJsonb(input.snapshot === undefined ? null : snapshotJson(input.snapshot));
  const result = await sql<FinishResult>`
    select recorded, again, more from finish_turn(p_session => ${claim.sessionId}, p_fence => ${claim.fence},
      p_token => ${claim.token}, p_ending => ${input.ending}, p_failure => ${toJsonb(input.failure ?? null)},
      p_output => ${toJsonb(input.output ?? null)}, p_files_changed => ${toJsonb(input.filesChanged ?? [])},
      p_snapshot => ${snapshot}, p_timings => ${toJsonb(input.timings ?? {})}, p_wait_ms => ${input.waitMs ?? 0},
      p_uncounted_max => ${limits.platformRetriesMax}, p_delivered => ${input.delivered ?? null},
      p_input => ${toJsonb(input.asked === undefined ? null : askedJson(input.asked))})`.execute(db.kysely);
  return result.rows[0];
}

function askedJson({ key, schema, prompt, waitSeconds, placed, budget }: InputAsked): Record<string, unknown> {
  return { key, schema, prompt: prompt ?? null, wait_seconds: waitSeconds, placed, budget: budget ?? null };
}

/** Returns a snapshot as the SQL functions expect it. */
export function snapshotJson(snapshot: TurnSnapshot): Record<string, unknown> {
  return {
    id: snapshot.id,
    parent_id: snapshot.parentId,
    object_key: snapshot.objectKey,
    is_full: snapshot.isFull,
    delta_depth: snapshot.deltaDepth,
    tree_hash: snapshot.treeHash,
    size_bytes: snapshot.sizeBytes,
    files: snapshot.files,
    total_bytes: snapshot.totalBytes,
  };
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

export interface CancelResult {
  /** `delivered`: the running turn of `deliveredIn` has taken it. */
  readonly outcome: "cancelled" | "requested" | "terminal" | "not_found" | "delivered";
  readonly sessionId: string | null;
  readonly deliveredIn: string | null;
}

/** Cancels a queued message at once, and asks a running one to end. */
export function cancelMessageOf(db: Database, organizationId: string, messageId: string): Promise<CancelResult> {
  return callOne<CancelResult>(
    db.kysely,
    sql`select outcome, session_id as "sessionId", delivered_in as "deliveredIn"
      from cancel_message(p_organization => ${organizationId}, p_message => ${messageId})`,
  );
}
