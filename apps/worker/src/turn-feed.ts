// Brings turns to free slots: from the queue while it answers, otherwise by direct pull. Both share one gate.

import { setTimeout as sleep } from "node:timers/promises";
import { watchConsumer } from "./consumer-watchdog.ts";
import { fetchJobs } from "./job-feed.ts";
import { startPulling } from "./pull-feed.ts";
import type { FeedContext, TurnFeedParts } from "./turn-feed-parts.ts";

export interface TurnFeed {
  /** Rejects with the reason if turns do not arrive although they could. */
  check(): Promise<void>;
  /** Fetches nothing more. Running jobs keep their locks. */
  stop(): Promise<void>;
  /** Closes the queue once no job runs. */
  close(): Promise<void>;
}

/** A fetch that takes longer than this is stuck: BullMQ blocks for up to ten seconds. */
const turnedWithinMs = 30_000;
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
      const pulledAgoMs = performance.now() - pulling.turnedAt;
      if (pulledAgoMs > pulledWithinMs) return Promise.reject(new Error("the database was not asked for turns lately"));
      const isFetching = source?.available === true && gate.free > 0 && fetching !== undefined;
      if (isFetching && performance.now() - fetching.turnedAt > turnedWithinMs) {
        return Promise.reject(new Error("no fetch from the queue has come back lately"));
      }
      return Promise.resolve();
    },
    async stop() {
      stopping.abort();
      await Promise.all([pulling.done, watching?.done]);
    },
    async close() {
      await source?.close();
      // Do not wait longer for a fetch: the closed source delivers nothing.
      await Promise.race([fetching?.done, sleep(1_000, undefined, { ref: false })]);
    },
  };
}
