// Finishes a turn: one SQL function, one commit.

import { limits, type Failure, type ReachedLimit } from "@dari/domain";
import { sql } from "kysely";
import type { Database } from "../../database.ts";
import { toJsonb } from "../../jsonb.ts";
import type { Claim } from "./claim-turn.ts";
import type { PlacedAttachment } from "./turn-details.ts";

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
