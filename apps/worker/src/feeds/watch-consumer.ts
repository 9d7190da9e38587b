// Detects that no jobs arrive although turns wait: BullMQ consumers sometimes stop without an error. Measures progress
// by the rows of the database, not by the queue.

import { loop } from "@dari/runtime";
import type { TurnSource } from "@dari/queue";
import type { Gate } from "../capacity/gate.ts";
import type { FeedContext } from "./turn-feed-parts.ts";

export interface WatchedConsumer {
  readonly gate: Gate;
  readonly source: TurnSource;
  /** Pulls turns without the queue. */
  pull(): void;
  /** Called when the worker cannot recover without a restart. */
  giveUp(reason: string): void;
  /** How long turns may wait without a job being fetched, in milliseconds (default: 10 s). */
  readonly silentMs?: number;
  /** The interval of the checks, in milliseconds (default: 1 s). */
  readonly checkEveryMs?: number;
}

const defaultCheckEveryMs = 1_000;
const defaultSilentMs = 10_000;

/**
 * While this worker has free slots, pulls overdue turns from the database, so a silent queue costs at most two seconds.
 * If a turn still waits ten seconds later, and no job arrived in between, reopens the consumer's connections. If the
 * same happens again while the queue contains jobs, calls `giveUp`. It does not give up if the queue is paused or
 * empty: that is not the consumer's fault.
 */
export function watchConsumer(
  context: FeedContext,
  watched: WatchedConsumer,
  signal: AbortSignal,
): { readonly done: Promise<void> } {
  const { gate, source, silentMs = defaultSilentMs, checkEveryMs = defaultCheckEveryMs } = watched;
  let fetchedBefore = source.fetched;
  let silentSince: number | undefined;
  let hasReopened = false;

  const reactToSilence = async (): Promise<void> => {
    silentSince ??= performance.now();
    if (performance.now() - silentSince < silentMs) return;
    silentSince = undefined;
    if (!hasReopened) {
      hasReopened = true;
      context.log.warn({ silent_ms: silentMs }, "consumer.reopened");
      await source.reopen();
      return;
    }
    const hasJobs = await source.hasWaiting();
    context.log.error({ silent_ms: silentMs, jobs_wait: hasJobs }, "consumer.silent");
    if (hasJobs) watched.giveUp("jobs wait in the queue, but this worker does not receive them");
  };
  return loop({
    name: "watch-consumer",
    everyMs: checkEveryMs,
    signal,
    log: context.log,
    async runOnce() {
      if (source.fetched !== fetchedBefore) {
        fetchedBefore = source.fetched;
        silentSince = undefined;
        hasReopened = false;
        return;
      }
      // Without Redis, the worker pulls all turns anyway.
      if (!source.available) {
        silentSince = undefined;
        return;
      }
      const isOverdue = await context.look("unclaimed");
      // Without free slots, the worker fetches nothing. To know them it reads the memory, so only if that matters.
      if ((isOverdue || silentSince !== undefined) && gate.free === 0) {
        silentSince = undefined;
        return;
      }
      if (!isOverdue) return;
      watched.pull();
      await reactToSilence();
    },
  });
}
