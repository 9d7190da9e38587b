// Repeats an idempotent write through a database that is away for a while.

import { isDatabasePassing } from "@dari/db";
import type { Log } from "@dari/domain";
import { setTimeout as sleep } from "node:timers/promises";

const retryEveryMs = 250;
/** Past this a lease is gone whatever happens, and somebody else has the work. Milliseconds. */
const giveUpAfterMs = 120_000;

/**
 * Tries again while the failure says nothing against the statement itself. The statement must be safe to repeat: its
 * reply may be lost after its commit. Gives up when `signal` aborts.
 */
export async function withPatience<T>(
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
      if (late || !isDatabasePassing(error)) throw error;
      context.log.warn({ err: error }, "database.passing_failure");
      await sleep(retryEveryMs);
    }
  }
}
