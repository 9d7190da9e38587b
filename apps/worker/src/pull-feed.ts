// Gets turns directly from the database: while the queue is unavailable, while no process leads the dispatch, and on
// request.

import { hasDispatchLeader, pullTurn } from "@dari/control/turns";
import { loop } from "@dari/runtime";
import type { FeedContext, TurnFeedParts } from "./turn-feed-parts.ts";

const pullEveryMs = 250;
const leadCheckEveryMs = 1_000;

export interface PullFeed {
  /** Pulls now, whatever the queue does. */
  pull(): void;
  /** When a pull last ended without an error, by the process's own clock in milliseconds. */
  readonly turnedAt: number;
  readonly done: Promise<void>;
}

export function startPulling(context: FeedContext, parts: TurnFeedParts, signal: AbortSignal): PullFeed {
  const { gate, source, run } = parts;
  let told = false;
  let turnedAt = performance.now();
  let ledSeenAt = performance.now();
  const mayPull = async (isTold: boolean): Promise<boolean> => {
    if (source === undefined || !source.available || isTold) return true;
    // A working queue does not help while no process fills it.
    if (performance.now() - ledSeenAt < leadCheckEveryMs) return false;
    const led = await hasDispatchLeader(context.db);
    if (led) ledSeenAt = performance.now();
    return !led;
  };
  const pullAll = async (): Promise<void> => {
    while (!signal.aborted) {
      const leave = gate.tryEnter();
      if (leave === undefined) return;
      const turn = await pullTurn(context.db, context.claimant, { log: context.log, signal }).catch(
        (error: unknown) => {
          leave();
          throw error;
        },
      );
      if (turn === undefined) return leave();
      void run(turn)
        .then(({ released }) => released)
        .finally(leave);
    }
  };
  const pulling = loop({
    name: "pull-turns",
    everyMs: pullEveryMs,
    signal,
    log: context.log,
    async runOnce() {
      // Read first: a request that arrives during this pull is for the next one.
      const isTold = told;
      told = false;
      try {
        if (await mayPull(isTold)) await pullAll();
      } catch (error) {
        told ||= isTold;
        throw error;
      }
      turnedAt = performance.now();
    },
  });
  const pull = (): void => {
    told = true;
    pulling.nudge();
  };
  const unsubscribe = context.notifier.subscribe("dispatched", undefined, pull);
  void pulling.done.then(unsubscribe);
  return {
    pull,
    get turnedAt() {
      return turnedAt;
    },
    done: pulling.done,
  };
}
