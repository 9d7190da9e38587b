// What a turn job is: a job that lives as long as its turn. It names rows and contains no other data.

import { isId, type DispatchedTurn } from "@dari/domain";
import { UnrecoverableError } from "bullmq";

export interface TurnJobData {
  readonly organizationId: string;
  readonly sessionId: string;
  readonly messageId: string;
  readonly dispatchNumber: number;
}

export interface QueueLocation {
  readonly redisUrl: string;
  /** The prefix of all keys, so that installations can share a server. */
  readonly prefix: string;
  /** Workers of one kind take from one queue. */
  readonly pool: string;
}

/** The most characters of a job's stored data. A turn job has only a few ids. */
export const jobDataCharsMax = 4_096;

export function queueName(pool: string): string {
  return `turns-${pool}`;
}

/** Unique per dispatch, because BullMQ ignores a job whose id has existed before. */
export function turnJobId(turn: Pick<TurnJobData, "messageId" | "dispatchNumber">): string {
  return `${turn.messageId}.${turn.dispatchNumber}`;
}

/** Returns the job that is added for a turn. */
export function toBullJob(turn: DispatchedTurn, delayMs = 0): TurnJob {
  const { organizationId, sessionId, messageId, dispatchNumber } = turn;
  return {
    name: "turn",
    data: { organizationId, sessionId, messageId, dispatchNumber },
    opts: { jobId: turnJobId(turn), attempts: Math.max(1, turn.attemptsLeft), ...(delayMs > 0 && { delay: delayMs }) },
  };
}

export interface TurnJob {
  readonly name: "turn";
  readonly data: TurnJobData;
  readonly opts: { jobId: string; attempts: number; delay?: number };
}

/**
 * Returns the turn that a job names; undefined if it is not a turn's job. Anyone with access to Redis may have added
 * it.
 */
export function readTurnJob(jobId: string, data: unknown): TurnJobData | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { organizationId, sessionId, messageId, dispatchNumber } = data as Record<keyof TurnJobData, unknown>;
  const isOurs =
    typeof organizationId === "string" &&
    isId("organization", organizationId) &&
    typeof sessionId === "string" &&
    isId("session", sessionId) &&
    typeof messageId === "string" &&
    isId("message", messageId) &&
    Number.isSafeInteger(dispatchNumber) &&
    (dispatchNumber as number) >= 0;
  if (!isOurs) return undefined;
  const turn = { organizationId, sessionId, messageId, dispatchNumber: dispatchNumber as number };
  return turnJobId(turn) === jobId ? turn : undefined;
}

/** Parses a job like `readTurnJob`, from the text in Redis. */
export function parseTurnJob(jobId: string, text: string | null): TurnJobData | undefined {
  if (text === null || text.length > jobDataCharsMax) return undefined;
  try {
    return readTurnJob(jobId, JSON.parse(text));
  } catch {
    return undefined;
  }
}

const retryMark = "TurnRetry: ";

/**
 * Thrown into BullMQ for another attempt, with the delay that the database has decided. The due time, by this machine's
 * clock, is in its stack, which is written in the same step that delays the job.
 */
export class TurnRetry extends Error {
  override readonly name = "TurnRetry";
  readonly delayMs: number;

  constructor(reason: string, delayMs: number) {
    super(reason);
    this.delayMs = delayMs;
    this.stack = `${retryMark}${reason}\ndue ${Date.now() + Math.max(1, delayMs)}`;
  }
}

const failedMark = "TurnFailed: ";

/** Thrown into BullMQ for the end of a job. Its stack is written in the same step that moves the job to `failed`. */
export class TurnFailed extends UnrecoverableError {
  constructor(reason: string) {
    super(reason);
    this.stack = `${failedMark}${reason}`;
  }
}

export function failureTrace(reason: string): string {
  return `${failedMark}${reason}`;
}

/** Describes a job's trace to a person. Returns a trace of another program unchanged. */
export function describeTrace(trace: string): string {
  const retry = /^TurnRetry: (.*)\ndue (\d{1,13})$/.exec(trace);
  if (retry !== null) {
    const due = new Date(Number(retry[2])).toISOString();
    return `The attempt ended with ${retry[1]}. The next attempt was due at ${due}.`;
  }
  if (!trace.startsWith(failedMark)) return trace;
  return `The message failed with ${trace.slice(failedMark.length)}. Its page has the error and the logs.`;
}

/**
 * Returns whether a taken job was `failed` before, so that an operator has retried it. A job that is redelivered
 * because its worker died was not failed, whatever the rows say: its last trace is that of a retry, or it has none.
 */
export function wasFailed(stacktrace: unknown): boolean {
  const last: unknown = Array.isArray(stacktrace) ? stacktrace.at(-1) : undefined;
  return typeof last === "string" && last.startsWith(failedMark);
}

/** How much the clocks of machines may differ. Milliseconds. */
const skewMs = 2_000;

/**
 * Returns whether a job came early because an operator promoted it. A job becomes due by the clock of the worker that
 * takes it, so with a correct clock it never comes early without a promotion.
 */
export function wasPromoted(job: { stacktrace: unknown; timestamp: number; opts: { delay?: number } }): boolean {
  const last: unknown = Array.isArray(job.stacktrace) ? job.stacktrace.at(-1) : undefined;
  const retry =
    typeof last === "string" && last.startsWith(retryMark) ? /\ndue (\d{1,16})$/.exec(last)?.[1] : undefined;
  const due = retry === undefined ? job.timestamp + (job.opts.delay ?? 0) : Number(retry);
  return due - Date.now() > skewMs;
}

/** Reads the delay from the error, so that the queue and the row agree on when the next attempt is due. */
export function backoffStrategy(_attemptsMade: number, _type?: string, error?: Error): number {
  return error instanceof TurnRetry ? Math.max(1, error.delayMs) : 1_000;
}
