// What this process has taken from windows for future calls, and which windows were empty.

import type { RateDecision, RateLimitState } from "@dari/control/context";
import type { RateRequest, RateGrant } from "@dari/db";

/** Maximum number of calls that one statement takes ahead. */
const aheadMax = 1_000;
/** How long what was taken ahead is used, so that a changed limit takes effect. In milliseconds. */
const freshForMs = 1_000;
/** How long an empty window is not asked again, in milliseconds. */
const exhaustedForMs = 200;
/** Callers that are remembered. Calls of further callers each ask the database. */
const rememberedMax = 10_000;

interface Remembered {
  readonly taken: RateGrant;
  /** Calls that may still be granted. */
  left: number;
  readonly answeredAtMs: number;
  /** Nothing is granted before this time. */
  readonly exhaustedUntilMs: number;
  /** At most the end of the window: what was taken in one window is not used in the next. */
  readonly endsAtMs: number;
}

export interface RatePrefetch {
  /** Returns undefined if the database must be asked. */
  answer(take: RateRequest): RateDecision | undefined;
  /** Returns how many to take ahead with a statement for `take`. */
  spareOf(take: RateRequest): number;
  /** Returns and forgets what earlier statements have left in the window. `askedAtMs`: when this one was sent. */
  takeBack(take: RateRequest, taken: RateGrant, askedAtMs: number): number;
  /** Stores a statement's result, and what its callers left. */
  keep(take: RateRequest, taken: RateGrant, left: number, askedAtMs: number): void;
}

/**
 * Takes ahead at most 1/256 of what a window has left, so nothing below 256: close to its limit, each call is counted
 * singly. What is not used expires with its window.
 */
export function createRatePrefetch(): RatePrefetch {
  const remembered = new Map<string, Remembered>();
  let sweptAtMs = 0;

  const find = (take: RateRequest): Remembered | undefined => {
    const name = rateWindowKey(take);
    const known = remembered.get(name);
    if (known === undefined || performance.now() < known.endsAtMs) return known;
    remembered.delete(name);
    return undefined;
  };
  const isBelowMax = (): boolean => {
    const nowMs = performance.now();
    if (remembered.size >= rememberedMax && nowMs - sweptAtMs > freshForMs) {
      sweptAtMs = nowMs;
      for (const [name, { endsAtMs }] of remembered) if (endsAtMs <= nowMs) remembered.delete(name);
    }
    return remembered.size < rememberedMax;
  };

  return {
    answer(take) {
      if (!isCounted(take)) return undefined;
      const known = find(take);
      if (known === undefined) return undefined;
      const ageMs = performance.now() - known.answeredAtMs;
      if (known.left >= take.want && ageMs < freshForMs) {
        known.left -= take.want;
        return { granted: true, standings: rateLimitStates(take, known.taken, known.left, ageMs) };
      }
      if (performance.now() >= known.exhaustedUntilMs) return undefined;
      return { granted: false, standings: rateLimitStates(take, known.taken, 0, ageMs) };
    },
    spareOf(take) {
      if (!isCounted(take)) return 0;
      const known = find(take);
      return known === undefined ? (isBelowMax() ? aheadMax : 0) : Math.max(0, aheadMax - known.left);
    },
    takeBack(take, taken, askedAtMs) {
      const known = isCounted(take) && endOf(take, taken, askedAtMs) > performance.now() ? find(take) : undefined;
      if (known === undefined) return 0;
      remembered.delete(rateWindowKey(take));
      // A changed limit applies to calls that have not started.
      return known.taken.quota === taken.quota ? known.left : 0;
    },
    keep(take, taken, left, askedAtMs) {
      if (!isCounted(take) || !isBelowMax()) return;
      const nowMs = performance.now();
      const endsAtMs = endOf(take, taken, askedAtMs);
      if (endsAtMs <= nowMs) return;
      const isUnbounded = taken.quota === null && take.keyQuota === undefined;
      const isExhausted = taken.granted < take.want;
      remembered.set(rateWindowKey(take), {
        taken,
        left: isUnbounded ? Infinity : left,
        answeredAtMs: nowMs,
        exhaustedUntilMs: isExhausted ? nowMs + exhaustedForMs : 0,
        endsAtMs,
      });
    },
  };
}

/** Ends no later than the first window does: Postgres measures from a moment after the statement was sent. */
function endOf({ seconds }: RateRequest, { resetMs, keyResetMs }: RateGrant, askedAtMs: number): number {
  return askedAtMs + Math.min(resetMs ?? Infinity, keyResetMs ?? Infinity, seconds * 1_000);
}

/** A refused amount of bytes, or of a batch's messages, says nothing about a smaller one. Those calls always ask. */
function isCounted({ kind, want, whole }: RateRequest): boolean {
  return kind !== "upload_bytes" && want > 0 && !(whole && want > 1);
}

/** Keys without their own quota share only their organization's window. */
export function rateWindowKey({ organizationId, keyId, kind, keyQuota }: RateRequest): string {
  return `${organizationId} ${keyQuota === undefined ? "" : keyId} ${kind}`;
}

/** `ahead`: what this process has taken and not used; `ageMs`: the age of the result. */
export function rateLimitStates(take: RateRequest, taken: RateGrant, ahead = 0, ageMs = 0): RateLimitState[] {
  const { kind, seconds, keyQuota } = take;
  const standings: RateLimitState[] = [];
  const add = (of: RateLimitState["of"], quota: number, remaining: number, resetMs: number): void =>
    void standings.push({
      ...{ of, kind, quota, windowSeconds: seconds, remaining: Math.min(quota, remaining + ahead) },
      resetSeconds: Math.max(0, Math.ceil((resetMs - ageMs) / 1000)),
    });
  if (taken.quota !== null) add("organization", taken.quota, taken.remaining ?? 0, taken.resetMs ?? 0);
  if (keyQuota !== undefined) add("key", keyQuota, taken.keyRemaining ?? 0, taken.keyResetMs ?? 0);
  return standings;
}
