// When a failed delivery is retried: over days, at growing intervals, and not in step with others.

const minute = 60;
const hour = 60 * minute;

/**
 * Seconds between the attempts of one delivery: ten attempts over a little more than three days. A receiver that is
 * down for a weekend misses nothing.
 */
export const webhookRetrySeconds: readonly number[] = [
  5,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** Attempts of one delivery, including the first. */
export const webhookAttemptsMax = webhookRetrySeconds.length + 1;

/** The longest `Retry-After` of a receiver that is followed. Seconds. */
const retryAfterMax = 24 * hour;

/**
 * Milliseconds until the attempt after the `attempt`-th, counted from 1; undefined if that was the last one. The
 * schedule's interval varies by 10 percent with `random` (0 to 1), and is never shorter than the receiver asked for, in
 * seconds.
 */
export function webhookRetryMs(attempt: number, random: number, retryAfterSeconds = 0): number | undefined {
  const seconds = webhookRetrySeconds[attempt - 1];
  if (seconds === undefined) return undefined;
  const asked = Math.min(Math.max(retryAfterSeconds, 0), retryAfterMax);
  return Math.round(Math.max(seconds * (0.9 + random * 0.2), asked) * 1_000);
}
