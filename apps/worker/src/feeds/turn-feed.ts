// Gets turns for free slots: from the queue while Redis answers, otherwise directly from the database. Both feeds share
// one gate.

import { setTimeout as sleep } from "node:timers/promises";
import { watchConsumer } from "./watch-consumer.ts";
import { fetchJobs } from "./job-feed.ts";
import { startPulling } from "./pull-feed.ts";
import type { FeedContext, TurnFeedParts } from "./turn-feed-parts.ts";

export interface TurnFeed {
  /** Rejects with the reason if one of the feeds has made no progress for too long. */
  check(): Promise<void>;
  /** Stops both feeds. Running jobs keep their locks. */
  stop(): Promise<void>;
  /** Closes the queue once no job runs. */
  close(): Promise<void>;
}

/** A fetch that takes longer than this is stuck: BullMQ blocks for up to ten seconds. */
const fetchedWithinMs = 30_000;
const pulledWithinMs = 10_000;

export function startTurnFeed(context: FeedContext, parts: TurnFeedParts): TurnFeed {
  const { source, gate } = parts;
  const stopping = new AbortController();
  const { signal } = stopping;
  const pulling = startPulling(context, parts, signal);
  const fetching = source === undefined ? undefined : fetchJobs(context, { ...parts, source }, signal);
  const watching =
    source === undefined ? undefined : watchConsumer(context, { ...parts, source, pull: pulling.pull }, signal);
  return {
    check() {
      const pulledAgoMs = performance.now() - pulling.progressAt;
      if (pulledAgoMs > pulledWithinMs)
        return Promise.reject(new Error(`no pull of turns has succeeded for ${Math.round(pulledAgoMs)} ms`));
      const isFetching = source?.available === true && gate.free > 0 && fetching !== undefined;
      if (isFetching && performance.now() - fetching.progressAt > fetchedWithinMs) {
        return Promise.reject(new Error(`no fetch from the queue has returned for ${fetchedWithinMs} ms`));
      }
      return Promise.resolve();
    },
    async stop() {
      stopping.abort();
      await Promise.all([pulling.done, watching?.done]);
    },
    async close() {
      await source?.close();
      // Wait only briefly for a running fetch: the closed source delivers nothing more.
      await Promise.race([fetching?.done, sleep(1_000, undefined, { ref: false })]);
    },
  };
}
