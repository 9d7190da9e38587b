// Stores events in their order, in few statements: often while a client follows the session, otherwise rarely.

import type { AgentEvent, NumberedEvent } from "@dari/control/turns";

export interface EventBatches {
  push(event: AgentEvent): void;
  /** Stores everything that waits. Resolves when it is stored. Rejects if the claim was superseded. */
  flush(): Promise<void>;
  /** Stores what waits soon. Resolves when there is room for more. */
  flushSoon(): Promise<void> | void;
  /** Stops the periodic writes. */
  stop(): void;
}

export interface BatchTimes {
  /** Events that arrive within this time are stored together, in milliseconds. */
  readonly flushEveryMs: number;
  /** How long they wait while no client follows the session, in milliseconds. */
  readonly unfollowedMs: number;
  /** The pause until the next question whether a client does, in milliseconds. */
  readonly askEveryMs: number;
}

const defaultTimes: BatchTimes = { flushEveryMs: 200, unfollowedMs: 2_000, askEveryMs: 1_000 };
/** From here on, the agent waits until they are stored. */
const unstoredMax = 50;

export function createEventBatches(
  into: {
    readonly store: (events: readonly NumberedEvent[]) => Promise<void>;
    readonly isFollowed: () => Promise<boolean>;
  },
  { flushEveryMs, unfollowedMs, askEveryMs } = defaultTimes,
): EventBatches {
  let number = 0;
  let waiting: NumberedEvent[] = [];
  /** When the oldest of them arrived. */
  let waitingSince = 0;
  /** Events that are not stored yet, also those of a statement that runs. */
  let unstored = 0;
  let timer: NodeJS.Timeout | undefined;
  let tail = Promise.resolve();

  async function store(events: readonly NumberedEvent[]): Promise<void> {
    await into.store(events);
    unstored -= events.length;
  }
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    if (events.length === 0) return tail;
    waiting = [];
    tail = tail.then(() => store(events));
    // The next caller gets the error.
    tail.catch(() => {});
    return tail;
  }
  function flushIfDue(): void {
    const untilDueMs = waitingSince + unfollowedMs - performance.now();
    if (untilDueMs <= 0) return void flush();
    timer = setTimeout(flushIfDue, Math.min(askEveryMs, untilDueMs)).unref();
    void into.isFollowed().then((isFollowed) => {
      if (isFollowed) void flush();
    });
  }
  return {
    push(event) {
      number += 1;
      unstored += 1;
      if (waiting.length === 0) waitingSince = performance.now();
      waiting.push({ ...event, number });
    },
    flush,
    flushSoon() {
      if (unstored >= unstoredMax) return flush();
      timer ??= setTimeout(flushIfDue, flushEveryMs).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
