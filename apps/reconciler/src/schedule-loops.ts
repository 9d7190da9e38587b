// Fires schedules, and finishes what was begun of batches. Every process does: rows keep them from doing it twice.

import type { Services } from "@dari/control/assembly";
import { finishBatchCancels, fireSchedules, sweepBatches, sweepFirings } from "@dari/control/automation";
import type { Loop } from "@dari/runtime";

/** A due time waits so long at most until it is noticed: milliseconds. */
const fireEveryMs = 1_000;
/** What a process that was lost began to cancel. */
const cancelEveryMs = 5_000;
const sweepEveryMs = 60_000;

export function startScheduleLoops(
  services: Services,
  start: (name: string, everyMs: number, runOnce: () => Promise<unknown>) => Loop,
): void {
  start("fire-schedules", fireEveryMs, () => fireSchedules(services));
  start("cancel-batches", cancelEveryMs, () => finishBatchCancels(services));
  start("sweep-firings", sweepEveryMs, () => sweepFirings(services.db));
  start("sweep-batches", sweepEveryMs, () => sweepBatches(services.db));
}
