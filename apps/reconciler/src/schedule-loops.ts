// Fires schedules and completes interrupted work on batches. Every process does it; the rows prevent double work.

import type { Services } from "@dari/control/assembly";
import { finishBatchCancels, fireSchedules, sweepBatches, sweepFirings } from "@dari/control/automation";
import type { StartLoop } from "./loops.ts";

/** The longest time until a due schedule is noticed. Milliseconds. */
const fireEveryMs = 1_000;
/** Cancellations that a lost process began. */
const cancelEveryMs = 5_000;
const sweepEveryMs = 60_000;

export function startScheduleLoops(services: Services, start: StartLoop, isDue: () => Promise<boolean>): void {
  start("fire-schedules", fireEveryMs, async () => {
    if (await isDue()) await fireSchedules(services);
  });
  start("cancel-batches", cancelEveryMs, () => finishBatchCancels(services));
  start("sweep-firings", sweepEveryMs, () => sweepFirings(services.db));
  start("sweep-batches", sweepEveryMs, () => sweepBatches(services.db));
}
