// How much an organization and its keys may send in a while. Postgres counts; this process asks for many calls at once.

import { rateWindows, type Database, type KeyRates, type RateKind, type RateTake, type RateTaken } from "@dari/db";
import type { Actor } from "../context.ts";

/** An organization's by default; undefined: no bound. */
export type RateDefaults = Readonly<Record<RateKind, number | undefined>>;

/** One bound as it stands after a call. */
export interface RateStanding {
  readonly of: "organization" | "key";
  readonly kind: RateKind;
  readonly quota: number;
  /** Length of the window. Seconds. */
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until the window has passed. */
  readonly resetSeconds: number;
}

export interface RateDecision {
  readonly granted: boolean;
  /** Empty where nothing bounds the caller. */
  readonly standings: readonly RateStanding[];
}

export interface RateLimiter {
  /**
   * Takes `amount` from what the caller's organization and key have left: all of it or nothing. Below zero: gives back.
   * Rejects as the database does.
   */
  take(actor: Actor, kind: RateKind, amount: number): Promise<RateDecision>;
}

export const rateSeconds: Readonly<Record<RateKind, number>> = { requests: 60, messages: 60, upload_bytes: 3_600 };

/** Takes of one statement. */
const batchMax = 500;
/** A window that had nothing left is asked again after this. Milliseconds. */
const exhaustedForMs = 200;
/** Callers remembered that had nothing left; past it all are asked anew. */
const rememberedMax = 10_000;

interface Waiting {
  readonly take: RateTake;
  readonly decide: (taken: RateTaken, granted: boolean) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * One statement at a time: calls that arrive while it is under way share the next one, so that a busy process asks
 * seldom and a quiet one waits for one short statement. No process holds what it has not used, so the sum over all
 * processes is exact; what is remembered here is only that a window had nothing left a moment ago.
 */
export function createRateLimiter(db: Database, defaults: RateDefaults): RateLimiter {
  const waiting: Waiting[] = [];
  let isAsking = false;
  const exhausted = new Map<string, { readonly taken: RateTaken; readonly atMs: number }>();

  const ask = async (): Promise<void> => {
    isAsking = true;
    while (waiting.length > 0) {
      const groups = [...group(waiting.splice(0, batchMax)).values()];
      try {
        const answers = await rateWindows.takeFromWindows(
          db,
          groups.map(({ take }) => take),
        );
        for (const [index, { take, members }] of groups.entries()) settle(take, members, answers[index]!);
      } catch (error) {
        for (const { members } of groups) for (const { fail } of members) fail(error);
      }
    }
    isAsking = false;
  };

  const settle = (take: RateTake, members: readonly Waiting[], taken: RateTaken): void => {
    let left = taken.granted;
    for (const { take: own, decide } of members) {
      const granted = own.want <= left;
      if (granted) left -= own.want;
      decide(taken, granted);
    }
    // Bytes that are too many for what is left say nothing about fewer.
    if (take.kind === "upload_bytes" || taken.granted >= take.want) return;
    if (exhausted.size >= rememberedMax) exhausted.clear();
    exhausted.set(nameOf(take), { taken, atMs: performance.now() });
  };

  return {
    take(actor, kind, amount) {
      const take = takeOf(actor, kind, amount, defaults[kind]);
      const known = exhausted.get(nameOf(take));
      if (known !== undefined) {
        if (performance.now() - known.atMs < exhaustedForMs) {
          return Promise.resolve({ granted: false, standings: standingsOf(take, known.taken) });
        }
        exhausted.delete(nameOf(take));
      }
      return new Promise((resolve, reject) => {
        const decide = (taken: RateTaken, granted: boolean): void =>
          resolve({ granted, standings: standingsOf(take, taken) });
        waiting.push({ take, decide, fail: reject });
        if (!isAsking) void ask();
      });
    },
  };
}

/** Takes of one for the same windows become one take of as many. */
function group(batch: readonly Waiting[]): Map<string, { take: RateTake; members: Waiting[] }> {
  const groups = new Map<string, { take: RateTake; members: Waiting[] }>();
  for (const [index, one] of batch.entries()) {
    const name = one.take.want === 1 ? nameOf(one.take) : `alone ${index}`;
    const known = groups.get(name);
    if (known === undefined) groups.set(name, { take: one.take, members: [one] });
    else {
      known.members.push(one);
      known.take = { ...known.take, want: known.members.length, whole: false };
    }
  }
  return groups;
}

function takeOf(actor: Actor, kind: RateKind, amount: number, quota: number | undefined): RateTake {
  return {
    organizationId: actor.organizationId,
    keyId: actor.keyId,
    kind,
    seconds: rateSeconds[kind],
    want: amount,
    whole: true,
    quota,
    keyQuota: actor.rates === undefined ? undefined : (keyQuotaOf(actor.rates, kind) ?? undefined),
  };
}

function keyQuotaOf(rates: KeyRates, kind: RateKind): number | null {
  switch (kind) {
    case "requests":
      return rates.maxRequestsPerMinute;
    case "messages":
      return rates.maxMessagesPerMinute;
    case "upload_bytes":
      return rates.maxUploadBytesPerHour;
  }
}

function nameOf({ organizationId, keyId, kind, keyQuota }: RateTake): string {
  // Keys without a quota of their own share their organization's window and nothing else.
  return `${organizationId} ${keyQuota === undefined ? "" : keyId} ${kind}`;
}

function standingsOf(take: RateTake, taken: RateTaken): RateStanding[] {
  const { kind, seconds, keyQuota } = take;
  const standings: RateStanding[] = [];
  const add = (of: RateStanding["of"], quota: number, remaining: number, resetMs: number): void =>
    void standings.push({
      ...{ of, kind, quota, windowSeconds: seconds, remaining },
      resetSeconds: Math.max(0, Math.ceil(resetMs / 1000)),
    });
  if (taken.quota !== null) add("organization", taken.quota, taken.remaining ?? 0, taken.resetMs ?? 0);
  if (keyQuota !== undefined) add("key", keyQuota, taken.keyRemaining ?? 0, taken.keyResetMs ?? 0);
  return standings;
}
