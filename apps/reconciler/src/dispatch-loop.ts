// The dispatcher's loop. At rest it only keeps the lead: the notification of a session that becomes ready starts a
// tick, and a look at the database finds those whose notification was lost.

import { randomUUID } from "node:crypto";
import type { Services } from "@dari/control/assembly";
import { createDispatcher, workerSeenWithinMs } from "@dari/control/turns";
import { limits } from "@dari/domain";
import type { StartLoop } from "./loops.ts";

const everyMs = 250;
/** Keeps the lead, which expires after `leadTtlMs`. */
const atRestEveryMs = 500;
const leadTtlMs = 1_000;
/** The dispatch is at rest if no session waited and no slot became free for this long, in milliseconds. */
const restAfterMs = 5_000;

export interface DispatchLoop {
  isLeading(): boolean;
  /** Ignores further notifications. */
  stopListening(): void;
  /** Gives up the lead. Call it after the loop has ended. */
  resign(): Promise<void>;
}

interface DispatchParts {
  readonly start: StartLoop;
  /** Whether a session waits for a slot. */
  readonly hasReady: () => Promise<boolean>;
  /** Called when Redis has lost its data. */
  readonly onFlush: () => void;
}

export function startDispatchLoop(services: Services, { start, hasReady, onFlush }: DispatchParts): DispatchLoop {
  const { queue, notifier } = services;
  const noticeFlush = async (): Promise<boolean> => {
    const flushed = (await queue?.noticeFlush()) === true;
    if (flushed) onFlush();
    return flushed;
  };
  const dispatcher = createDispatcher(services, {
    holder: randomUUID(),
    leadTtlMs,
    dispatchTtlMs: limits.dispatchTtlMs,
    workerSeenWithinMs,
    ...(queue === undefined ? {} : { noticeFlush }),
  });
  let leading = false;
  let activeAt = performance.now();
  const isAtRest = (): boolean => performance.now() - activeAt >= restAfterMs;
  const dispatching = start(
    "dispatch",
    () => (isAtRest() ? atRestEveryMs : everyMs),
    async () => {
      leading = (await dispatcher.tick(async () => !isAtRest() || (await hasReady()))).leading;
      if (dispatcher.hasWaitingSessions) activeAt = performance.now();
    },
  );
  const wake = (): void => {
    activeAt = performance.now();
    dispatching.nudge();
  };
  const subscriptions = [
    notifier.subscribe("ready", undefined, wake),
    notifier.subscribe("slot", undefined, () => {
      // The tick after a rest charges the turn that has ended.
      if (dispatcher.hasWaitingSessions || isAtRest()) wake();
      else activeAt = performance.now();
    }),
  ];
  return {
    isLeading: () => leading,
    stopListening: () => subscriptions.forEach((stop) => stop()),
    resign: () => dispatcher.resign(),
  };
}
