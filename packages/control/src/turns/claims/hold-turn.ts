// What a worker writes while it holds a turn. Everything is fenced by the claim: once superseded, nothing is written.

import type { EventData } from "@dari/contract";
import { turns, workers, type Claim, type Database, type LogLine, type RenewedLease } from "@dari/db";

/** Renews the leases of a worker; a claim that is missing from the answer is lost. */
export function renewClaims(db: Database, claims: readonly Claim[], leaseMs: number): Promise<RenewedLease[]> {
  return claims.length === 0 ? Promise.resolve([]) : turns.renewHeldLeases(db, claims, leaseMs);
}

/**
 * Counts the attempt. The entrypoint may be called only if this answers true. `parts`: the message's, where a file had
 * to take another name than its client was told.
 */
export function countAttempt(db: Database, claim: Claim, parts?: readonly unknown[]): Promise<boolean> {
  return turns.markCalledIfHeld(db, claim, parts);
}

/**
 * An agent's own event, durable at once. False once superseded. `number`: from 1 in the order of the attempt's events;
 * a call that is repeated because its reply was lost adds nothing.
 */
export function recordAgentEvent(
  db: Database,
  claim: Claim,
  event: { readonly number: number; readonly name: string; readonly data: unknown },
): Promise<boolean> {
  const data: EventData["agent.event"] = { name: event.name, data: event.data };
  return turns.appendEventIfHeld(db, claim, "agent.event", data, event.number);
}

/** Captured output. False once superseded. */
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

/** Says that this worker is alive and what it offers; the dispatcher counts on it. */
export function announceWorker(db: Database, presence: WorkerPresence): Promise<void> {
  return workers.upsertWorkerSeen(db, presence);
}

export function removeWorker(db: Database, workerId: string): Promise<void> {
  return workers.deleteWorker(db, workerId);
}

/** Forgets workers that have been silent this long. */
export function forgetWorkers(db: Database, silentMs: number): Promise<number> {
  return workers.deleteWorkersUnseenFor(db, silentMs);
}
