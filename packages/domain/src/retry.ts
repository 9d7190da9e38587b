// How long a turn waits before its next attempt.

export interface BackoffPolicy {
  readonly firstMs: number;
  readonly maxMs: number;
}

export const defaultBackoff: BackoffPolicy = { firstMs: 1_000, maxMs: 60_000 };

/**
 * Returns an exponential backoff with half jitter: between half of and all of `firstMs × 2^(attempt-1)`, at most
 * `maxMs`. Jitter spreads the retries of a fleet; the lower half keeps a retry from being immediate.
 */
export function backoffMs(attempt: number, policy: BackoffPolicy, random: number): number {
  const full = Math.min(policy.maxMs, policy.firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}
