// Detects that no jobs arrive although turns wait: consumers have been seen to stop without an error. Measures progress
// by the rows, not by the queue.

import { hasWaitingDispatch } from "@dari/control/operations";
import { loop } from "@dari/runtime";
import type { TurnSource } from "@dari/queue";
import type { Gate } from "./gate.ts";
import type { FeedContext } from "./turn-feed-parts.ts";

export interface WatchedConsumer {
  readonly gate: Gate;
  readonly source: TurnSource;
  /** Pulls turns without the queue. */
  pull(): void;
  giveUp(reason: string): void;
  readonly silentMs?: number;
}

const lookEveryMs = 500;
/** A turn that waits this long despite free slots and a working queue is overdue, in milliseconds. */
const waitedMs = 1_000;
const defaultSilentMs = 10_000;

/**
 * While this worker has free slots and turns are overdue, they are pulled, so a silent queue costs about a second. If a
 * turn still waits ten seconds later, without a job in between, the consumer gets new connections. If that happens
 * again while the queue contains jobs, the process gives up. A queue without jobs, paused or emptied, is not the
 * consumer's fault.
 */
export function watchConsumer(
  context: FeedContext,
  watched: WatchedConsumer,
  signal: AbortSignal,
): { readonly done: Promise<void> } {
  const { gate, source, silentMs = defaultSilentMs } = watched;
  let fetchedBefore = source.fetched;
  let silentSince: number | undefined;
  let hasReopened = false;

  const judge = async (): Promise<void> => {
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
    if (hasJobs) watched.giveUp("jobs wait that this worker does not get");
  };
  return loop({
    name: "watch-consumer",
    everyMs: lookEveryMs,
    signal,
    log: context.log,
    async runOnce() {
      if (source.fetched !== fetchedBefore) {
        fetchedBefore = source.fetched;
        silentSince = undefined;
        hasReopened = false;
        return;
      }
      // Without free slots there is nothing to fetch. Without Redis, everything is pulled anyway.
      if (gate.free === 0 || !source.available) {
        silentSince = undefined;
        return;
      }
      if (!(await hasWaitingDispatch(context.db, waitedMs))) return;
      watched.pull();
      await judge();
    },
  });
}
