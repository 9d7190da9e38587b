// Notices that jobs no longer come though turns wait: consumers have been seen to stop without an error. Progress is
// read from the rows, not from the queue.

import { hasWaitingDispatch } from "@dari/control/operations";
import { loop } from "@dari/runtime";
import type { TurnSource } from "@dari/queue";
import type { Gate } from "./gate.ts";
import type { FeedContext } from "./turn-feed-parts.ts";

export interface WatchedConsumer {
  readonly gate: Gate;
  readonly source: TurnSource;
  /** Takes turns past the queue. */
  pull(): void;
  giveUp(reason: string): void;
  readonly silentMs?: number;
}

const lookEveryMs = 500;
/** A turn that free slots and a working queue have left standing for so long. Milliseconds. */
const waitedMs = 1_000;
const defaultSilentMs = 10_000;

/**
 * While this worker has free slots and turns wait, they are pulled, so silence costs about a second. When a turn still
 * waits ten seconds after the first, and no job has come between, the consumer gets new connections; when that happens
 * again and jobs do wait in the queue, the process gives up. A queue without jobs, paused or emptied by somebody, is
 * not the consumer's fault.
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
      // Without free slots nothing is to be fetched; without Redis everything is pulled anyway.
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
