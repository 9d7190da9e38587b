// Limits calls without a valid key by their address. A call over the limit gets a 429 and costs this process almost
// nothing. Calls with a valid key from the same address are never refused for them.

import type { Control } from "@dari/control/context";
import { isKnownKey, unauthenticated } from "@dari/control/tenants";
import { AppError } from "@dari/domain";
import { isIPv6 } from "node:net";
import type { NextFunction, Request, Response } from "express";
import { readBearerToken } from "./bearer.ts";

/** Addresses remembered. Above this number, the address that was silent for longest is forgotten. */
const addressesMax = 50_000;

export interface UnauthenticatedLimit {
  /** The size of an address's bucket, and how much it is refilled per minute. 0: no limit. */
  readonly perMinute: number;
}

/** The limit of a call's address, stored with its response until the call turns out to have no valid key. */
interface Standing {
  /** Counts one call. Returns the refusal if the call exceeds the limit. */
  refusal(): AppError | undefined;
}

const standings = new WeakMap<Response, Standing>();

/**
 * Runs before all routes. If an address has used up its calls, its unknown keys are refused here. Such keys are looked
 * up in batches, and a call with a valid key continues.
 */
export function limitUnauthenticated(control: Control, { perMinute }: UnauthenticatedLimit) {
  const buckets = createBuckets(perMinute);
  return (request: Request, response: Response, next: NextFunction): Promise<void> | void => {
    if (perMinute === 0) return next();
    const addressOf = (): string => addressPrefix(request.ip ?? "");
    standings.set(response, {
      refusal() {
        const wait = buckets.take(addressOf());
        if (wait === undefined) return undefined;
        return new AppError("limit_exceeded", detailOf(perMinute), { retryAfterSeconds: wait });
      },
    });
    const secret = buckets.isEmpty() || !buckets.isSpent(addressOf()) ? undefined : readBearerToken(request);
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

/** Counts a call without a valid key. Returns the error if its address is over the limit. */
export function countUnauthenticatedCall(response: Response): AppError | undefined {
  return standings.get(response)?.refusal();
}

/** Counts a call that needs no key, before it writes anything. @throws AppError `limit_exceeded` */
export function countPublicCall(response: Response): void {
  const refusal = countUnauthenticatedCall(response);
  if (refusal !== undefined) throw refusal;
}

interface Buckets {
  /** Whether every bucket is full. */
  isEmpty(): boolean;
  isSpent(address: string): boolean;
  /** Counts one call. Returns the seconds until the next one is allowed if this one is not. */
  take(address: string): number | undefined;
}

/** Stores one number per address: when its bucket is full again. */
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
