// The work that depends on time: small loops of the same shape, bounded, idempotent, and safe to run in several
// processes.

import { randomUUID } from "node:crypto";
import type { Services } from "@dari/control/assembly";
import { sweepIdempotencyKeys } from "@dari/control/context";
import { createInvariantRounds, createJobRepair, rebuildFailedJobs } from "@dari/control/operations";
import { settleBuildWaiters } from "@dari/control/publishing";
import { createHeldSessionResumer } from "@dari/control/tenants";
import {
  createDispatcher,
  createReaper,
  expireInputs,
  deleteSilentWorkers,
  workerSeenWithinMs,
} from "@dari/control/turns";
import { limits } from "@dari/domain";
import { loop, type HealthChecks, type Loop, type Logger } from "@dari/runtime";
import { createInvariantJudge, type InvariantCounters } from "./judge-invariants.ts";
import { startScheduleLoops } from "./schedule-loops.ts";
import { startStorageLoops } from "./storage-loops.ts";
import { startWebhookLoops } from "./webhook-loops.ts";

export interface ReconcilerOptions {
  readonly leaseMs: number;
  readonly reapEveryMs: number;
}

export interface Reconciler {
  /** Whether each loop has succeeded recently, by its name. */
  readonly checks: HealthChecks;
  counters(): InvariantCounters;
  stop(): Promise<void>;
}

const dispatchEveryMs = 250;
const leadTtlMs = 1_000;
const invariantsEveryMs = 60_000;
const deleteWorkersAfterMs = 60_000;
const sweepEveryMs = 60_000;
/** A new day can begin at any time. A change of a budget releases its sessions itself. */
const releaseHeldEveryMs = 2_000;
const repairJobsEveryMs = 5_000;
const rebuildJobsEveryMs = 10_000;
/** How long a loop may go without a success, in addition to its interval. Milliseconds. */
const lateMs = 10_000;

export function startReconciler(services: Services, options: ReconcilerOptions, log: Logger): Reconciler {
  const stopping = new AbortController();
  const { queue } = services;
  let afterFlush = (): void => undefined;
  const noticeFlush = async (): Promise<boolean> => {
    const flushed = (await queue?.noticeFlush()) === true;
    if (flushed) afterFlush();
    return flushed;
  };
  const dispatcher = createDispatcher(services, {
    holder: randomUUID(),
    leadTtlMs,
    dispatchTtlMs: limits.dispatchTtlMs,
    workerSeenWithinMs,
    ...(queue === undefined ? {} : { noticeFlush }),
  });
  const paces = new Map<string, { readonly loop: Loop; readonly everyMs: number }>();
  const start = (name: string, everyMs: number, runOnce: () => Promise<unknown>): Loop => {
    const started = loop({ name, everyMs, runOnce, signal: stopping.signal, log });
    paces.set(name, { loop: started, everyMs });
    return started;
  };

  let leading = false;
  const dispatching = start("dispatch", dispatchEveryMs, async () => {
    leading = (await dispatcher.tick()).leading;
  });
  const reaper = createReaper(services, options);
  start("reap", options.reapEveryMs, () => reaper.runOnce());
  start("settle-builds", options.reapEveryMs, () => settleBuildWaiters(services));
  start("expire-inputs", options.reapEveryMs, () => expireInputs(services));
  const heldRelease = createHeldSessionResumer(services);
  start("release-held", releaseHeldEveryMs, async () => {
    if (leading) await heldRelease.runOnce();
  });
  start("forget-workers", deleteWorkersAfterMs, () => deleteSilentWorkers(services.db, deleteWorkersAfterMs));
  start("sweep-idempotency-keys", sweepEveryMs, () => sweepIdempotencyKeys(services.db));
  if (queue !== undefined) afterFlush = startQueueLoops({ ...services, queue }, start, () => leading);
  startStorageLoops(services, start, () => leading);
  startScheduleLoops(services, start);
  const webhooks = startWebhookLoops(services, start);
  // Separate from the rest: it reads a lot and repairs nothing, and one process is enough.
  const invariants = createInvariantJudge(createInvariantRounds(services.db), log);
  start("invariants", invariantsEveryMs, async () => {
    if (leading) await invariants.judge();
  });
  const stopListening = [
    services.notifier.subscribe("ready", undefined, () => dispatching.nudge()),
    services.notifier.subscribe("slot", undefined, () => {
      if (dispatcher.hasWaitingSessions) dispatching.nudge();
    }),
  ];

  return {
    checks: Object.fromEntries([...paces].map(([name, pace]) => [name, () => checkPace(pace)])),
    counters: () => invariants.counters(),
    async stop() {
      for (const stop of stopListening) stop();
      stopping.abort();
      await Promise.all([...paces.values()].map((pace) => pace.loop.done));
      await webhooks.close();
      await dispatcher.resign().catch(() => undefined);
    },
  };
}

/**
 * Repairs the queue. One process at a time is enough; several are safe. Returns the function that runs the repairs at
 * once, for turns that are due again and must not wait for their jobs.
 */
function startQueueLoops(
  context: Parameters<typeof createJobRepair>[0],
  start: (name: string, everyMs: number, runOnce: () => Promise<unknown>) => Loop,
  isLeading: () => boolean,
): () => void {
  const repair = createJobRepair(context);
  const repairing = start("repair-jobs", repairJobsEveryMs, async () => {
    if (isLeading()) await repair.runOnce();
  });
  const rebuilding = start("rebuild-failed-jobs", rebuildJobsEveryMs, async () => {
    if (isLeading()) await rebuildFailedJobs(context);
  });
  return () => {
    repairing.nudge();
    rebuilding.nudge();
  };
}

function checkPace(pace: { readonly loop: Loop; readonly everyMs: number }): Promise<void> {
  const agoMs = performance.now() - pace.loop.stats().succeededAt;
  if (agoMs <= pace.everyMs + lateMs) return Promise.resolve();
  return Promise.reject(new Error(`its last success was ${Math.round(agoMs)} ms ago`));
}
