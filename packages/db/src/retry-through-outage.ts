// Repeats an idempotent write until the database is available.

import type { Log } from "@dari/domain";
import { setTimeout as sleep } from "node:timers/promises";
import { isDatabaseErrorTransient } from "./errors.ts";

const retryEveryMs = 250;
/** After this time the lease has expired and another worker has the work. In milliseconds. */
const giveUpAfterMs = 120_000;

/**
 * Retries `work` while it fails only because the database is unavailable. `work` must be safe to repeat: its reply may
 * be lost after its commit. Gives up when `signal` aborts.
 */
export async function retryThroughOutage<T>(
  context: { readonly log: Log },
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const late = performance.now() - startedAt > giveUpAfterMs || signal?.aborted === true;
      if (late || !isDatabaseErrorTransient(error)) throw error;
      context.log.warn({ err: error }, "database.passing_failure");
      await sleep(retryEveryMs);
    }
  }
}
