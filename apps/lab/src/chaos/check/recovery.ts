// Measures how fast a run recovered: from a lost worker to the next attempt, the longest time without a completion, and
// how long messages waited for their start.

import type { AttemptBook, Books, MessageBook } from "./books.ts";

/** A lost worker, and since when. */
export interface Loss {
  readonly workerId: string;
  readonly at: number;
}

/** A time in which nothing can be expected, because the database is unavailable. Wall clock, in milliseconds. */
export interface Excuse {
  readonly from: number;
  readonly to: number;
}

export function takeoverMs(books: Books, losses: readonly Loss[]): number[] {
  return [...books.attempts.values()].flatMap((attempts) =>
    attempts.flatMap((attempt, i) => {
      const next = attempts[i + 1];
      if (attempt.outcome !== "lost" || next === undefined) return [];
      // The last loss before the attempt was ended: a worker may have been paused twice.
      const before = losses.filter(({ workerId, at }) => workerId === attempt.workerId && at < (attempt.endedAt ?? 0));
      const loss = before.at(-1);
      return loss === undefined ? [] : [next.claimedAt - Math.max(loss.at, attempt.claimedAt)];
    }),
  );
}

/**
 * Returns attempts that were taken from a worker while their agent ran. A claim that was committed and never answered,
 * for example because the database died in between, has no holder: only its lease's expiry ends it, and nothing ran.
 */
export function lostWhileRunning(books: Books): AttemptBook[] {
  const hasRun = ({ messageId, claimedAt, endedAt }: AttemptBook): boolean =>
    (books.effects.get(messageId) ?? []).some(({ at }) => at >= claimedAt && at <= (endedAt ?? Infinity));
  return [...books.attempts.values()].flat().filter((attempt) => attempt.outcome === "lost" && hasRun(attempt));
}

interface Wait {
  readonly message: MessageBook;
  /** When it became the first open message of its session. */
  readonly from: number;
  /** When the message was first claimed. */
  readonly to: number;
  /** Whether its session was idle. */
  readonly foundIdle: boolean;
}

function waitsOf(books: Books): Wait[] {
  const waits: Wait[] = [];
  for (const turns of Map.groupBy(books.messages.values(), ({ sessionId }) => sessionId).values()) {
    let busyUntil = 0;
    for (const message of turns) {
      const claimedAt = books.attempts.get(message.id)?.[0]?.claimedAt;
      const from = Math.max(message.createdAt, busyUntil);
      if (claimedAt !== undefined)
        waits.push({ message, from, to: claimedAt, foundIdle: message.createdAt > busyUntil });
      busyUntil = Math.max(busyUntil, message.completedAt ?? Infinity);
    }
  }
  return waits;
}

/** Returns the longest time without a completion although something was ready, minus excused times. */
export function longestGapMs(books: Books, excuses: readonly Excuse[]): number {
  const ends = [...books.messages.values()].flatMap(({ completedAt }) => completedAt ?? []).sort((a, b) => a - b);
  const waits = waitsOf(books);
  let longest = 0;
  for (const [i, end] of ends.entries()) {
    const before = ends[i - 1];
    if (before === undefined || end - before <= longest) continue;
    for (const wait of waits) {
      const from = Math.max(before, wait.from);
      const to = Math.min(end, wait.to);
      if (to > from) longest = Math.max(longest, to - from - overlap(from, to, excuses));
    }
  }
  return Math.round(longest);
}

/**
 * Returns milliseconds from acceptance to the first claim, of messages whose session was idle, by acceptance time.
 * `except`: organizations whose waits do not count.
 */
export function startDelays(
  books: Books,
  excuses: readonly Excuse[],
  except: readonly string[] = [],
): { at: number; ms: number }[] {
  return waitsOf(books)
    .filter(({ foundIdle, message }) => foundIdle && !except.includes(message.organizationId))
    .map(({ from, to }) => ({ at: from, ms: to - from - overlap(from, to, excuses) }));
}

function overlap(from: number, to: number, excuses: readonly Excuse[]): number {
  return excuses.reduce((sum, one) => sum + Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)), 0);
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  const at = (part: number): number => Math.round(sorted[Math.min(last, Math.floor(sorted.length * part))] ?? 0);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) };
}
