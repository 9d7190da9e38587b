// Limits calls without a valid key by the address that they come from. A call over the limit gets a 429 and costs this
// process next to nothing. Calls with a valid key from the same address are never refused for them.

import type { Control } from "@dari/control/context";
import { isKnownKey, unauthenticated } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import { isIPv6 } from "node:net";
import type { NextFunction, Request, Response } from "express";
import { bearerOf } from "./bearer.ts";

/** Addresses remembered; above this number the one that was silent for longest is forgotten. */
const addressesMax = 50_000;

export interface UnauthenticatedLimit {
  /** Calls of one address: so many at once, then so many in each minute. 0: no limit. */
  readonly perMinute: number;
}

/** The limit of a call's address, kept with its response: it is needed once the call turns out to have no valid key. */
interface Standing {
  /** Counts one call. Returns the refusal if that is one too many. */
  refusal(): AppError | undefined;
}

const standings = new WeakMap<Response, Standing>();

/**
 * Runs before all routes. Refuses an unknown key here if its address has used up its calls; such keys are looked up
 * together, however many there are, and a call with a valid one goes on.
 */
export function limitUnauthenticated(control: Control, { perMinute }: UnauthenticatedLimit) {
  const buckets = createBuckets(perMinute);
  return (request: Request, response: Response, next: NextFunction): Promise<void> | void => {
    if (perMinute === 0) return next();
    const addressOf = (): string => networkOf(request.ip ?? "");
    standings.set(response, {
      refusal() {
        const wait = buckets.take(addressOf());
        if (wait === undefined) return undefined;
        return new AppError("limit_exceeded", detailOf(perMinute), { retryAfterSeconds: wait });
      },
    });
    const secret = buckets.isEmpty() || !buckets.isSpent(addressOf()) ? undefined : bearerOf(request);
    return secret === undefined ? next() : passIfKnown(control, secret, next);
  };
}

/** @throws AppError `unauthenticated` */
async function passIfKnown(control: Control, secret: string, next: NextFunction): Promise<void> {
  if (!(await isKnownKey(control, secret))) throw unauthenticated();
  next();
}

function detailOf(perMinute: number): string {
  return (
    `limit reached: ${perMinute} requests per minute without a valid API key from one address; ` +
    "send a valid key in `Authorization`, or wait"
  );
}

/** Returns the refusal of a call without a valid key if its address has sent too many of them. */
export function unauthenticatedRefusal(response: Response): AppError | undefined {
  return standings.get(response)?.refusal();
}

/** Counts a call that needs no key, before it writes anything. @throws AppError `limit_exceeded` */
export function countUnauthenticated(response: Response): void {
  const refusal = unauthenticatedRefusal(response);
  if (refusal !== undefined) throw refusal;
}

interface Buckets {
  /** No call was counted lately. */
  isEmpty(): boolean;
  isSpent(address: string): boolean;
  /** Counts one call. Returns the seconds until the next one is allowed if this one is not. */
  take(address: string): number | undefined;
}

/** One number for each address: when its bucket is full again. */
function createBuckets(perMinute: number): Buckets {
  const fullAt = new Map<string, number>();
  const eachMs = 60_000 / perMinute;
  const spentMs = 60_000 - eachMs;
  const missingMs = (address: string): number => Math.max(0, (fullAt.get(address) ?? 0) - performance.now());
  return {
    isEmpty: () => fullAt.size === 0,
    isSpent: (address) => missingMs(address) > spentMs,
    take(address) {
      const missing = missingMs(address);
      if (missing > spentMs) return Math.ceil((missing - spentMs) / 1_000);
      // At the end: the order in which they were last heard of.
      fullAt.delete(address);
      fullAt.set(address, performance.now() + missing + eachMs);
      if (fullAt.size > addressesMax) fullAt.delete(fullAt.keys().next().value ?? "");
      return undefined;
    },
  };
}

/** An IPv4 address, or the /64 of an IPv6 one: as a rule, all of it is one customer's. */
export function networkOf(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || !isIPv6(address)) return v4 ?? address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => "0"), ...after].slice(0, 4);
  return `${groups.map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}
