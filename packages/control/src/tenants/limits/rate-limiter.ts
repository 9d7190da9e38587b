// Rate limits of organizations and their keys. Postgres counts, one statement for many calls.

import type { Actor, RateLimiter, RateLimitState } from "@dari/control/context";
import { rateWindows, type Database, type KeyRates, type RateKind, type RateRequest, type RateGrant } from "@dari/db";
import { waitUntilSettled, sharedWaitMs, sessionTokenLimits } from "@dari/domain";
import { createRatePrefetch, rateWindowKey, rateLimitStates } from "./rate-prefetch.ts";

/** The default limits of organizations; undefined: no limit. */
export type RateDefaults = Readonly<Record<RateKind, number | undefined>>;

export const rateSeconds: Readonly<Record<RateKind, number>> = { requests: 60, messages: 60, upload_bytes: 3_600 };

/** Takes per statement. */
const batchMax = 500;
/** Maximum number of running statements. Further calls wait. */
const statementsMax = 8;

interface Waiting {
  readonly take: RateRequest;
  readonly decide: (granted: boolean, standings: RateLimitState[]) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Postgres counts before anything is granted, so all processes together never exceed a limit. Far from a limit, a
 * statement also takes some for calls that follow (see `createRatePrefetch`). Calls that arrive during a statement
 * share the next one.
 */
export function createRateLimiter(db: Database, defaults: RateDefaults): RateLimiter {
  const waiting: Waiting[] = [];
  let isAsking = false;
  let underWay = 0;
  const ahead = createRatePrefetch();

  const ask = async (): Promise<void> => {
    isAsking = true;
    while (waiting.length > 0 && underWay < statementsMax) {
      const groups = [...group(waiting.splice(0, batchMax).filter((one) => !isAnswered(one))).values()];
      if (groups.length > 0) await waitUntilSettled(sharedWaitMs, askFor(groups));
    }
    isAsking = false;
  };

  const isAnswered = ({ take, decide }: Waiting): boolean => {
    const answer = ahead.answer(take);
    if (answer !== undefined) decide(answer.granted, answer.standings);
    return answer !== undefined;
  };

  const askFor = async (groups: readonly Group[]): Promise<void> => {
    underWay++;
    const askedAtMs = performance.now();
    try {
      const takes = groups.map(({ take }) => ({ ...take, spare: ahead.spareOf(take) }));
      const answers = await rateWindows.takeFromRateWindows(db, takes);
      for (const [index, { take, members }] of groups.entries()) settle(take, members, answers[index]!, askedAtMs);
    } catch (error) {
      for (const { members } of groups) for (const { fail } of members) fail(error);
    } finally {
      underWay--;
      if (waiting.length > 0 && !isAsking) void ask();
    }
  };

  const settle = (take: RateRequest, members: readonly Waiting[], taken: RateGrant, askedAtMs: number): void => {
    let left = taken.granted + ahead.takeBack(take, taken, askedAtMs);
    const granted = members.map(({ take: { want } }) => {
      if (want > left) return false;
      left -= want;
      return true;
    });
    const standings = rateLimitStates(take, taken, left);
    for (const [index, { decide }] of members.entries()) decide(granted[index]!, standings);
    ahead.keep(take, taken, left, askedAtMs);
  };

  return {
    take(actor, kind, amount) {
      const take = takeOf(actor, kind, amount, defaults[kind]);
      const known = ahead.answer(take);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        const decide: Waiting["decide"] = (granted, standings) => resolve({ granted, standings });
        waiting.push({ take, decide, fail: reject });
        if (!isAsking) void ask();
      });
    },
  };
}

interface Group {
  take: RateRequest;
  readonly members: Waiting[];
}

/** Merges takes of 1 from the same windows into one take. */
function group(batch: readonly Waiting[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const [index, one] of batch.entries()) {
    const name = one.take.want === 1 ? rateWindowKey(one.take) : `alone ${index}`;
    const known = groups.get(name);
    if (known === undefined) groups.set(name, { take: one.take, members: [one] });
    else {
      known.members.push(one);
      known.take = { ...known.take, want: known.members.length, whole: false };
    }
  }
  return groups;
}

function takeOf(actor: Actor, kind: RateKind, amount: number, quota: number | undefined): RateRequest {
  const own = actor.rates === undefined ? undefined : (keyQuotaOf(actor.rates, kind) ?? undefined);
  const { sessionToken } = actor;
  // The tokens that a limited key has made share its window: otherwise it could make itself more.
  const isTokens = sessionToken !== undefined && own === undefined;
  return {
    organizationId: actor.organizationId,
    keyId: sessionToken === undefined || isTokens ? actor.keyId : sessionToken.creatorId,
    kind,
    seconds: rateSeconds[kind],
    want: amount,
    whole: true,
    spare: 0,
    quota,
    keyQuota: isTokens ? tokenQuotas[kind] : own,
  };
}

const tokenQuotas: Readonly<Record<RateKind, number>> = {
  requests: sessionTokenLimits.requestsPerMinute,
  messages: sessionTokenLimits.messagesPerMinute,
  upload_bytes: sessionTokenLimits.uploadBytesPerHour,
};

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
