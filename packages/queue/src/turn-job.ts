// What a turn job is: a job that lives as long as its turn. It names rows and carries nothing that matters.

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
  /** Namespace of all keys, so that installations may share a server. */
  readonly prefix: string;
  /** Workers of one kind take from one queue. */
  readonly pool: string;
}

/** The most characters of a job's stored data. Ours has a few ids. */
export const jobDataCharsMax = 4_096;

export function queueName(pool: string): string {
  return `turns-${pool}`;
}

/** Unique per dispatch: an id that existed before would make BullMQ ignore the job. */
export function turnJobId(turn: Pick<TurnJobData, "messageId" | "dispatchNumber">): string {
  return `${turn.messageId}.${turn.dispatchNumber}`;
}

/** How a turn is added as a job. */
export function toJob(turn: DispatchedTurn, delayMs = 0): TurnJob {
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

/** What a job of the queue names; undefined when it is none of ours. Anybody with Redis may have added it. */
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

/** Like `readTurnJob`, for the text in Redis. */
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
 * Thrown into BullMQ for another attempt; carries the delay that the database has decided. When it is due, by this
 * machine's clock, stands in its stack, which is written in the same step that delays the job.
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

export function failedTrace(reason: string): string {
  return `${failedMark}${reason}`;
}

/** Returns what a trace of a job says, as text for a person; a trace that is not ours as it is. */
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
 * Whether a job that is taken has been `failed`: then somebody has asked for it again. A job that only comes again
 * because its worker died has not, whatever the rows say: its last trace is that of a retry, or none.
 */
export function wasFailed(stacktrace: unknown): boolean {
  const last: unknown = Array.isArray(stacktrace) ? stacktrace.at(-1) : undefined;
  return typeof last === "string" && last.startsWith(failedMark);
}

/** What clocks of machines may differ, milliseconds. */
const skewMs = 2_000;

/**
 * Returns whether a job came early because somebody promoted it. A job becomes due by the clock of the worker that
 * takes it, so it never comes early by itself if that clock is right.
 */
export function cameEarly(job: { stacktrace: unknown; timestamp: number; opts: { delay?: number } }): boolean {
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
