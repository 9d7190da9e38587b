// What a worker writes while it holds a turn. Every write checks the claim's fence, so a superseded worker writes
// nothing.

import type { EventData } from "@dari/contract";
import { turns, workers, type Claim, type Database, type LogLine, type RenewedLease } from "@dari/db";

/** Renews the leases of a worker. If a claim is missing from the result, the worker has lost it. */
export function renewClaims(db: Database, claims: readonly Claim[], leaseMs: number): Promise<RenewedLease[]> {
  return claims.length === 0 ? Promise.resolve([]) : turns.renewHeldLeases(db, claims, leaseMs);
}

/**
 * Counts the attempt. Call the entrypoint only if this returns true. `parts`: the message's parts, if a file was stored
 * under another name than the one in the client's reply.
 */
export function countAttempt(db: Database, claim: Claim, parts?: readonly unknown[]): Promise<boolean> {
  return turns.markCalledIfHeld(db, claim, parts);
}

/**
 * Stores an event of the agent. Returns false once the claim is superseded. `number`: the position among the attempt's
 * events, from 1. A number that was stored before adds nothing.
 */
export function recordAgentEvent(
  db: Database,
  claim: Claim,
  event: { readonly number: number; readonly name: string; readonly data: unknown },
): Promise<boolean> {
  const data: EventData["agent.event"] = { name: event.name, data: event.data };
  return turns.appendEventIfHeld(db, claim, "agent.event", data, event.number);
}

/** Stores output of the agent. Returns false once the claim is superseded. */
export function recordLogs(db: Database, claim: Claim, lines: readonly LogLine[]): Promise<boolean> {
  return lines.length === 0 ? Promise.resolve(true) : turns.appendLogsIfHeld(db, claim, lines);
}

export interface WorkerPresence {
  readonly id: string;
  readonly pool: string;
  readonly slots: number;
  readonly draining: boolean;
  readonly details: unknown;
}

/** Reports that this worker is alive, with its slots. */
export function announceWorker(db: Database, presence: WorkerPresence): Promise<void> {
  return workers.upsertWorkerSeen(db, presence);
}

export function removeWorker(db: Database, workerId: string): Promise<void> {
  return workers.deleteWorker(db, workerId);
}

/** Deletes the rows of workers that have reported nothing for `silentMs`. Returns how many were deleted. */
export function deleteSilentWorkers(db: Database, silentMs: number): Promise<number> {
  return workers.deleteWorkersUnseenFor(db, silentMs);
}
