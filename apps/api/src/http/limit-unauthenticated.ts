// Limits calls without a valid key by their address. A call over the limit gets a 429 and costs this process almost
// nothing. Calls with a valid key are never refused because of other calls from the same address.

import type { Control } from "@dari/control/context";
import { isKnownKey, unauthenticated } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import { isIPv6 } from "node:net";
import type { NextFunction, Request, Response } from "express";
import { readBearerToken } from "./bearer.ts";

/** Maximum number of addresses in memory. Above it, the address with the oldest last call is removed. */
const addressesMax = 50_000;

export interface UnauthenticatedLimit {
  /** The size of an address's bucket, and how much it is refilled per minute. 0: no limit. */
  readonly perMinute: number;
}

/** The counter of a call's address. It is stored with the response, and used only if the call has no valid key. */
interface CallCounter {
  /** Counts one call. Returns the error if the call exceeds the limit. */
  countCall(): AppError | undefined;
}

const triggerPath = "/v1/triggers/";

const counters = new WeakMap<Response, CallCounter>();
/** Calls over the limit whose key or token was made here. */
const knownCalls = new WeakSet<Response>();

/**
 * Runs before all routes. If an address has used up its calls, calls with an unknown key are refused here. Keys are
 * looked up in batches, and a call with a valid key continues.
 */
export function limitUnauthenticated(control: Control, { perMinute }: UnauthenticatedLimit) {
  const buckets = createBuckets(perMinute);
  return (request: Request, response: Response, next: NextFunction): Promise<void> | void => {
    if (perMinute === 0) return next();
    const addressOf = (): string => addressPrefix(request.ip ?? "");
    counters.set(response, {
      countCall() {
        const wait = buckets.countCall(addressOf());
        if (wait === undefined) return undefined;
        return new AppError("limit_exceeded", detailOf(perMinute), { retryAfterSeconds: wait });
      },
    });
    // A sender's `Authorization` is no API key. The route counts calls without a valid token or signature itself.
    if (request.path.startsWith(triggerPath)) return next();
    const secret = buckets.hasNoCalls() || !buckets.isSpent(addressOf()) ? undefined : readBearerToken(request);
    return secret === undefined ? next() : continueIfKnown(control, secret, response, next);
  };
}

/** Calls `next` if the key exists. @throws AppError `unauthenticated` */
async function continueIfKnown(
  control: Control,
  secret: string,
  response: Response,
  next: NextFunction,
): Promise<void> {
  if (!(await isKnownKey(control, secret))) throw unauthenticated();
  knownCalls.add(response);
  next();
}

function detailOf(perMinute: number): string {
  return (
    `limit reached: ${perMinute} requests per minute without a valid API key from one address; ` +
    "send a valid key in `Authorization`, or wait"
  );
}

/** Counts a call without a valid key. Returns the error if its address is over the limit. */
export function countUnauthenticatedCall(response: Response): AppError | undefined {
  return counters.get(response)?.countCall();
}

/**
 * Counts a call that is refused with a 401. Returns the error that replaces it if the address is over the limit. A key
 * or token that has ended gets the 401 in any case: its holder must get another one, and waiting does not help.
 */
export function countRefusedCall(response: Response): AppError | undefined {
  const error = countUnauthenticatedCall(response);
  return knownCalls.has(response) ? undefined : error;
}

/** Counts a call that needs no key, before it writes anything. @throws AppError `limit_exceeded` */
export function countPublicCall(response: Response): void {
  const error = countUnauthenticatedCall(response);
  if (error !== undefined) throw error;
}

interface Buckets {
  /** Returns whether no call was counted for any address since this process started. */
  hasNoCalls(): boolean;
  /** Returns whether the address has used up its calls. */
  isSpent(address: string): boolean;
  /** Counts one call. If the call is not allowed, returns the seconds until the next call is. */
  countCall(address: string): number | undefined;
}

/** Stores one number per address, or other name: the time at which its bucket is full again. */
export function createBuckets(perMinute: number): Buckets {
  const fullAt = new Map<string, number>();
  const eachMs = 60_000 / perMinute;
  const spentMs = 60_000 - eachMs;
  const missingMs = (address: string): number => Math.max(0, (fullAt.get(address) ?? 0) - performance.now());
  return {
    hasNoCalls: () => fullAt.size === 0,
    isSpent: (address) => missingMs(address) > spentMs,
    countCall(address) {
      const missing = missingMs(address);
      if (missing > spentMs) return Math.ceil((missing - spentMs) / 1_000);
      // Moves the address to the end of the map, which is ordered by the last call.
      fullAt.delete(address);
      fullAt.set(address, performance.now() + missing + eachMs);
      if (fullAt.size > addressesMax) fullAt.delete(fullAt.keys().next().value ?? "");
      return undefined;
    },
  };
}

/** Returns an IPv4 address, or the /64 prefix of an IPv6 one, which usually belongs to one customer. */
export function addressPrefix(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || !isIPv6(address)) return v4 ?? address;
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => "0"), ...after].slice(0, 4);
  return `${groups.map((group) => parseInt(group, 16).toString(16)).join(":")}::/64`;
}
