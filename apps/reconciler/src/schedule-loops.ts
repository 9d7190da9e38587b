// Fires schedules and completes interrupted work on batches. Every process does it; the rows prevent double work.

import type { Services } from "@dari/control/assembly";
import { finishBatchCancels, fireSchedules, sweepBatches, sweepFirings } from "@dari/control/automation";
import type { Loop } from "@dari/runtime";

/** The longest time until a due schedule is noticed. Milliseconds. */
const fireEveryMs = 1_000;
/** Cancellations that a lost process began. */
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
