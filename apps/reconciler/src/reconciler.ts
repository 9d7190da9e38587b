// Answers the clock: small loops of one shape that take no input, bounded and idempotent, safe beside their twins.

import { randomUUID } from "node:crypto";
import {
  createDispatcher,
  findViolations,
  forgetWorkers,
  reapSessions,
  settleBuildWaiters,
  sweepIdempotencyKeys,
  workerSeenWithinMs,
  type Services,
} from "@dari/control";
import { limits } from "@dari/domain";
import { loop, type Loop, type Logger } from "@dari/runtime";

export interface ReconcilerOptions {
  readonly leaseMs: number;
  readonly reapEveryMs: number;
}

export interface Reconciler {
  /** Whether every loop has worked lately. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

const dispatchEveryMs = 250;
const leadTtlMs = 1_000;
const invariantsEveryMs = 60_000;
const forgetWorkersMs = 60_000;
const sweepEveryMs = 60_000;

export function startReconciler(services: Services, options: ReconcilerOptions, log: Logger): Reconciler {
  const stopping = new AbortController();
  const { queue } = services;
  const dispatcher = createDispatcher(services, {
    holder: randomUUID(),
    leadTtlMs,
    dispatchTtlMs: limits.dispatchTtlMs,
    workerSeenWithinMs,
    ...(queue === undefined ? {} : { noticeFlush: () => queue.noticeFlush() }),
  });
  const start = (name: string, everyMs: number, runOnce: () => Promise<unknown>): Loop =>
    loop({ name, everyMs, runOnce, signal: stopping.signal, log });

  let leading = false;
  const dispatching = start("dispatch", dispatchEveryMs, async () => {
    leading = (await dispatcher.tick()).leading;
  });
  const loops = [
    dispatching,
    start("reap", options.reapEveryMs, () => reapSessions(services, { graceMs: options.leaseMs })),
    start("settle-builds", options.reapEveryMs, () => settleBuildWaiters(services)),
    start("forget-workers", forgetWorkersMs, () => forgetWorkers(services.db, forgetWorkersMs)),
    start("sweep-idempotency-keys", sweepEveryMs, () => sweepIdempotencyKeys(services.db)),
  ];
  // Apart from the rest: it reads much, repairs nothing, and one process is enough.
  const judging = start("invariants", invariantsEveryMs, async () => {
    if (leading) await checkInvariants(services, log);
  });
  const stopListening = services.notifier.subscribe("ready", undefined, () => dispatching.nudge());

  return {
    check() {
      const failing = loops.filter((one) => one.stats().failuresInARow > 3).length;
      return failing === 0 ? Promise.resolve() : Promise.reject(new Error(`${failing} loops keep failing`));
    },
    async stop() {
      stopListening();
      stopping.abort();
      await Promise.all([...loops, judging].map((one) => one.done));
      await dispatcher.resign().catch(() => undefined);
    },
  };
}

async function checkInvariants(services: Services, log: Logger): Promise<void> {
  for (const violation of await findViolations(services.db)) {
    log.error({ invariant: violation.invariant, says: violation.says, rows: violation.rows }, "invariant.violated");
  }
}
