// Decides whether a call is retried, and after how long.

import { ApiError, ConnectionError, isPassing } from "./errors.ts";

export interface Repeatable {
  /** The body can be sent again. */
  readonly canResend: boolean;
  /** The call has no further effect if it has already arrived: a read, or a creation with a key. */
  readonly isIdempotent: boolean;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;
/** If the platform asks for a longer pause, the error is thrown instead. */
const longestRetryAfterMs = 60_000;

/** Returns the milliseconds until the next attempt, or undefined if there is none. `attempt` counts from 1. */
export function retryPause(call: Repeatable, error: unknown, attempt: number, maxRetries: number): number | undefined {
  if (attempt > maxRetries || !mayPass(call, error)) return undefined;
  const askedMs = retryAfterMs(error);
  return askedMs > longestRetryAfterMs ? undefined : Math.max(askedMs, backoffMs(attempt));
}

/** A call that a limit refused had no effect, so it can be sent again. Otherwise only an idempotent one can. */
function mayPass({ canResend, isIdempotent }: Repeatable, error: unknown): boolean {
  if (!canResend) return false;
  if (error instanceof ApiError) return error.code === "limit_exceeded" || (isIdempotent && isPassing(error));
  // A time limit was the caller's choice, so a retry does not extend it.
  return error instanceof ConnectionError && isIdempotent && !error.timedOut;
}

export function retryAfterMs(error: unknown): number {
  return error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
}

/** Doubles with each attempt. Half of it is random, so that clients do not retry at the same time. */
export function backoffMs(attempt: number): number {
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  return longest * (0.5 + Math.random() / 2);
}
