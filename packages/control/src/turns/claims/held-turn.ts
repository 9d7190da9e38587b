// What a worker writes while it holds a turn. Every write is fenced by the claim: after it is superseded, nothing is
// written.

import type { EventData } from "@dari/contract";
import { turns, workers, type Claim, type Database, type LogLine, type RenewedLease } from "@dari/db";

/** Renews the leases of a worker. A claim that is missing from the result is lost. */
export function renewClaims(db: Database, claims: readonly Claim[], leaseMs: number): Promise<RenewedLease[]> {
  return claims.length === 0 ? Promise.resolve([]) : turns.renewHeldLeases(db, claims, leaseMs);
}

/**
 * Counts the attempt. Call the entrypoint only if this returns true. `parts`: the message's parts, if a file had to be
 * stored under another name than its client was told.
 */
export function countAttempt(db: Database, claim: Claim, parts?: readonly unknown[]): Promise<boolean> {
  return turns.markCalledIfHeld(db, claim, parts);
}

/**
 * Stores an event of the agent. Returns false once the claim is superseded. `number`: from 1, in the order of the
 * attempt's events; a repeated number adds nothing.
 */
export function recordAgentEvent(
  db: Database,
  claim: Claim,
  event: { readonly number: number; readonly name: string; readonly data: unknown },
): Promise<boolean> {
  const data: EventData["agent.event"] = { name: event.name, data: event.data };
  return turns.appendEventIfHeld(db, claim, "agent.event", data, event.number);
}

/** Stores captured output. Returns false once the claim is superseded. */
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

/** Reports that this worker is alive, and what it offers to the dispatcher. */
export function announceWorker(db: Database, presence: WorkerPresence): Promise<void> {
  return workers.upsertWorkerSeen(db, presence);
}

export function removeWorker(db: Database, workerId: string): Promise<void> {
  return workers.deleteWorker(db, workerId);
}

/** Deletes workers that have been silent for this long. */
export function forgetWorkers(db: Database, silentMs: number): Promise<number> {
  return workers.deleteWorkersUnseenFor(db, silentMs);
}
