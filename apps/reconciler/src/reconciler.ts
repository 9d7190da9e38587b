// The work that depends on time: small loops of the same shape, bounded, idempotent, and safe to run in several
// processes.

import type { Services } from "@dari/control/assembly";
import { sweepIdempotencyKeys } from "@dari/control/context";
import { createInvariantRounds, createJobRepair, readDueWork, rebuildFailedJobs } from "@dari/control/operations";
import { settleBuildWaiters } from "@dari/control/publishing";
import { createHeldSessionResumer } from "@dari/control/tenants";
import { createReaper, expireInputs, deleteSilentWorkers } from "@dari/control/turns";
import { createSharedLook } from "@dari/domain";
import type { HealthChecks, Logger } from "@dari/runtime";
import { startDispatchLoop } from "./dispatch-loop.ts";
import { createInvariantJudge, type InvariantCounters } from "./judge-invariants.ts";
import { createLoops, type StartLoop } from "./loops.ts";
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

const invariantsEveryMs = 60_000;
const deleteWorkersAfterMs = 60_000;
const sweepEveryMs = 60_000;
/** A new day can begin at any time. A change of a budget releases its sessions itself. */
const releaseHeldEveryMs = 2_000;
const repairJobsEveryMs = 5_000;
const rebuildJobsEveryMs = 10_000;

export function startReconciler(services: Services, options: ReconcilerOptions, log: Logger): Reconciler {
  const stopping = new AbortController();
  const { queue } = services;
  const loops = createLoops(stopping.signal, log);
  const { start } = loops;
  const hasWork = createSharedLook(() => readDueWork(services.db));
  let afterFlush = (): void => undefined;
  const dispatch = startDispatchLoop(services, {
    start,
    hasReady: () => hasWork("ready"),
    onFlush: () => afterFlush(),
  });
  const { isLeading } = dispatch;
  const reaper = createReaper(services, { ...options, hasExpired: () => hasWork("expired") });
  start("reap", options.reapEveryMs, () => reaper.runOnce());
  // Continues what one pass after a build leaves, and repairs what a crash after a build leaves.
  start("settle-builds", options.reapEveryMs, () => settleBuildWaiters(services, () => hasWork("builds")));
  start("expire-inputs", options.reapEveryMs, async () => {
    if (await hasWork("inputs")) await expireInputs(services);
  });
  const heldRelease = createHeldSessionResumer(services);
  start("release-held", releaseHeldEveryMs, async () => {
    if (isLeading() && (await hasWork("held"))) await heldRelease.runOnce();
  });
  start("forget-workers", deleteWorkersAfterMs, () => deleteSilentWorkers(services.db, deleteWorkersAfterMs));
  start("sweep-idempotency-keys", sweepEveryMs, () => sweepIdempotencyKeys(services.db));
  if (queue !== undefined)
    afterFlush = startQueueLoops({ ...services, queue }, start, isLeading, () => hasWork("queued"));
  startStorageLoops(services, start, isLeading);
  startScheduleLoops(services, start, () => hasWork("schedules"));
  const webhooks = startWebhookLoops(services, start, () => hasWork("webhooks"));
  // Separate from the rest: it reads a lot and repairs nothing, and one process is enough.
  const invariants = createInvariantJudge(createInvariantRounds(services.db), log);
  start("invariants", invariantsEveryMs, async () => {
    if (isLeading()) await invariants.judge();
  });

  return {
    checks: loops.checks(),
    counters: () => invariants.counters(),
    async stop() {
      dispatch.stopListening();
      stopping.abort();
      await loops.done();
      await webhooks.close();
      await dispatch.resign().catch(() => undefined);
    },
  };
}

/**
 * Repairs the queue. One process at a time is enough; several are safe. Returns the function that runs the repairs at
 * once, for turns that are due again and must not wait for their jobs.
 */
function startQueueLoops(
  context: Parameters<typeof createJobRepair>[0],
  start: StartLoop,
  isLeading: () => boolean,
  hasQueued: () => Promise<boolean>,
): () => void {
  // The last look may be older than the loss of Redis's data.
  let isFlushed = false;
  const mayHaveQueued = (): Promise<boolean> => {
    const wasFlushed = isFlushed;
    isFlushed = false;
    return wasFlushed ? Promise.resolve(true) : hasQueued();
  };
  const repair = createJobRepair({ ...context, hasQueued: mayHaveQueued });
  const repairing = start("repair-jobs", repairJobsEveryMs, async () => {
    if (isLeading()) await repair.runOnce();
  });
  const rebuilding = start("rebuild-failed-jobs", rebuildJobsEveryMs, async () => {
    if (isLeading()) await rebuildFailedJobs(context);
  });
  return () => {
    isFlushed = true;
    repairing.nudge();
    rebuilding.nudge();
  };
}
