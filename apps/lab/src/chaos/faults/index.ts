// All faults by number, and the pairs that are known to fail together in other systems.

import { controlFaults } from "./control.ts";
import type { Fault } from "./fault.ts";
import { operationFaults } from "./operations.ts";
import { postgresFaults } from "./postgres.ts";
import { redisFaults } from "./redis.ts";
import { turnFaults } from "./turns.ts";
import { workerFaults } from "./workers.ts";

export const faults: readonly Fault[] = [
  ...workerFaults,
  ...redisFaults,
  ...postgresFaults,
  ...controlFaults,
  ...turnFaults,
  ...operationFaults,
];

/** @throws if there is none. */
export class UnknownFaultError extends Error {
  override readonly name = "UnknownFaultError";
}

/** @throws UnknownFaultError with the existing names */
export function faultNamed(name: string): Fault {
  const found = faults.find((fault) => fault.name === name || String(fault.number) === name);
  if (found !== undefined) return found;
  throw new UnknownFaultError(`there is no fault ${name}; there are ${faults.map((one) => one.name).join(", ")}`);
}

/** Names of two faults that strike together. */
export const pairs: readonly (readonly [string, string])[] = [
  ["worker-killed", "redis-flushed"],
  ["worker-killed", "redis-down"],
  ["worker-killed", "postgres-restarted"],
  ["worker-killed", "leader-lost"],
  ["worker-killed", "api-killed"],
  ["worker-paused", "redis-wiped"],
  ["worker-paused", "postgres-crashed"],
  ["worker-paused", "leader-lost"],
  ["worker-blocked", "redis-silent"],
  ["worker-blocked", "reply-lost"],
  ["worker-drained", "postgres-restarted"],
  ["worker-drained", "leader-lost"],
  ["redis-killed", "postgres-crashed"],
  ["redis-down", "leader-lost"],
  ["redis-silent", "api-killed"],
  ["redis-full", "worker-killed"],
  ["postgres-down", "worker-killed"],
  ["postgres-troubled", "cancels"],
  ["reply-lost", "worker-killed"],
  ["jobs-forged", "worker-paused"],
  ["cancels", "worker-killed"],
  ["rolling-deploy", "redis-flushed"],
];
