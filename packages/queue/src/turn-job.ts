// What a turn job is: a job that lives as long as its turn. It names rows and carries nothing that matters.

import type { DispatchedTurn } from "@dari/domain";

export interface TurnJobData {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly dispatchNumber: number;
}

export interface QueueLocation {
  readonly redisUrl: string;
  /** Namespace of all keys, so that installations may share a server. */
  readonly prefix: string;
  /** Workers of one kind take from one queue. */
  readonly pool: string;
}

export function queueName(pool: string): string {
  return `turns-${pool}`;
}

/** Unique per dispatch: an id that existed before would make BullMQ ignore the job. */
export function turnJobId(turn: DispatchedTurn): string {
  return `${turn.messageId}.${turn.dispatchNumber}`;
}

/** Thrown into BullMQ for another attempt; carries the delay that the database has decided. */
export class TurnRetry extends Error {
  override readonly name = "TurnRetry";
  readonly delayMs: number;

  constructor(reason: string, delayMs: number) {
    super(reason);
    this.delayMs = delayMs;
  }
}

/** Reads the delay from the error, so that the queue and the row agree on when the next attempt is due. */
export function backoffStrategy(_attemptsMade: number, _type?: string, error?: Error): number {
  return error instanceof TurnRetry ? Math.max(1, error.delayMs) : 1_000;
}
