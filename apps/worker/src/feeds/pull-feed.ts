// Gets turns directly from the database: while the queue is unavailable, while no process leads the dispatch, and when
// `pull` is called.

import { pullTurn } from "@dari/control/turns";
import { loop } from "@dari/runtime";
import type { FeedContext, TurnFeedParts } from "./turn-feed-parts.ts";

const pullEveryMs = 250;
/**
 * The interval at rest: notifications start pulls while turns wait. Lost notifications cost this time. A due retry has
 * no notification without Redis, so after a longer backoff it starts up to this much late.
 */
const pullAtRestEveryMs = 1_000;
/** Pulling is at rest if there was no notification and no turn for this long, in milliseconds. */
const restAfterMs = 5_000;
/** Shorter than the interval at rest, so that each pull at rest checks. In milliseconds. */
const leadCheckEveryMs = 900;

export interface PullFeed {
  /** Pulls now, even if the queue works. */
  pull(): void;
  /** When a pull last ended without an error, by `performance.now()`. */
  readonly progressAt: number;
  readonly done: Promise<void>;
}

export function startPulling(context: FeedContext, parts: TurnFeedParts, signal: AbortSignal): PullFeed {
  const { gate, source, run } = parts;
  let isRequested = false;
  let progressAt = performance.now();
  let leaderSeenAt = performance.now();
  let activeAt = performance.now();
  const mayPull = async (wasRequested: boolean): Promise<boolean> => {
    if (source === undefined || !source.available || wasRequested) return true;
    // If no process leads the dispatch, a working queue stays empty.
    const now = performance.now();
    if (now - leaderSeenAt < leadCheckEveryMs) return false;
    const hasLeader = await context.look("leader");
    if (hasLeader) leaderSeenAt = now;
    return !hasLeader;
  };
  const pullAll = async (): Promise<void> => {
    while (!signal.aborted) {
      const place = gate.tryEnter();
      if (place === undefined) return;
      const turn = await pullTurn(context.db, context.claimant, { log: context.log, signal }).catch(
        (error: unknown) => {
          place.leave();
          throw error;
        },
      );
      if (turn === undefined) return place.leave();
      activeAt = performance.now();
      void run(turn, place)
        .then(({ released }) => released)
        .finally(place.leave);
    }
  };
  const pulling = loop({
    name: "pull-turns",
    everyMs: () => (performance.now() - activeAt < restAfterMs ? pullEveryMs : pullAtRestEveryMs),
    signal,
    log: context.log,
    async runOnce() {
      // Reset the request before the pull: a request that arrives during the pull is for the next one.
      const wasRequested = isRequested;
      isRequested = false;
      try {
        if (await mayPull(wasRequested)) await pullAll();
      } catch (error) {
        isRequested ||= wasRequested;
        throw error;
      }
      progressAt = performance.now();
    },
  });
  const pull = (): void => {
    isRequested = true;
    activeAt = performance.now();
    pulling.nudge();
  };
  const unsubscribe = context.notifier.subscribe("dispatched", undefined, pull);
  void pulling.done.then(unsubscribe);
  return {
    pull,
    get progressAt() {
      return progressAt;
    },
    done: pulling.done,
  };
}
