// What a worker writes while it holds a turn. Every write checks the claim's fence, so a superseded worker writes
// nothing.

import type { ActivityType, EventData } from "@dari/contract";
import {
  messageSteps,
  modelRequests,
  steering,
  turns,
  workers,
  type Claim,
  type Database,
  type LogLine,
  type RecordedStep,
  type ModelRequestRow,
  type RenewedLease,
  type RequestToReserve,
  type ReservationResult,
  type TakenMessage,
  type WorkerPresence,
} from "@dari/db";
import { release } from "@dari/domain";

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

type AgentEventType = ActivityType | "agent.event" | "agent.events_omitted";

/** An event that the agent's process caused. */
export type AgentEvent = {
  readonly [T in AgentEventType]: { readonly type: T; readonly data: EventData[T] };
}[AgentEventType];

/** `number`: the position among the attempt's events, from 1. */
export type NumberedEvent = AgentEvent & { readonly number: number };

/**
 * Stores events in one statement, in their order. Returns false once the claim is superseded. A number that was stored
 * before adds nothing.
 */
export function recordTurnEvents(db: Database, claim: Claim, events: readonly NumberedEvent[]): Promise<boolean> {
  return turns.appendEventsIfHeld(db, claim, events);
}

/**
 * Hands the messages that steer to the running attempt, and returns those after the first `received`. Returns undefined
 * once the claim is superseded.
 */
export function takeSteering(db: Database, claim: Claim, received: number): Promise<TakenMessage[] | undefined> {
  return steering.takeSteeringIfHeld(db, claim, received);
}

/**
 * Stores the result of a step, and what the attempt has used so far. Safe to repeat. Returns false once the claim is
 * superseded.
 */
export function recordStep(
  db: Database,
  claim: Claim,
  step: RecordedStep,
  usage?: Readonly<Record<string, number>>,
): Promise<boolean> {
  return messageSteps.recordStepIfHeld(db, claim, step, usage);
}

/** Stores output of the agent. Returns false once the claim is superseded. */
export function recordLogs(db: Database, claim: Claim, lines: readonly LogLine[]): Promise<boolean> {
  return lines.length === 0 ? Promise.resolve(true) : turns.appendLogsIfHeld(db, claim, lines);
}

export type { ModelRequestRow };

/** Stores requests of the agent to models in one statement. Returns false once the claim is superseded. */
export function recordModelRequests(
  db: Database,
  claim: Claim,
  requests: readonly ModelRequestRow[],
): Promise<boolean> {
  return modelRequests.recordModelRequestsIfHeld(db, claim, requests);
}

/**
 * Reserves a request of the agent to a model, before it goes out. Returns undefined once the claim is superseded. Safe
 * to repeat.
 */
export function reserveModelRequest(
  db: Database,
  claim: Claim,
  request: RequestToReserve,
  limits: { readonly requests: number; readonly tokens: number | undefined },
): Promise<ReservationResult | undefined> {
  return modelRequests.reserveModelRequestIfHeld(db, claim, request, limits);
}

/**
 * Reports that this worker is alive, with its slots. Resolves with false if its release is so old that it can claim
 * nothing any more.
 */
export async function announceWorker(db: Database, presence: Omit<WorkerPresence, "release">): Promise<boolean> {
  const { lowestRelease } = await workers.upsertWorkerSeen(db, { ...presence, release });
  return release >= lowestRelease;
}

export function removeWorker(db: Database, workerId: string): Promise<void> {
  return workers.deleteWorker(db, workerId);
}

/** Deletes the rows of workers that have reported nothing for `silentMs`. Returns how many were deleted. */
export function deleteSilentWorkers(db: Database, silentMs: number): Promise<number> {
  return workers.deleteWorkersUnseenFor(db, silentMs);
}
