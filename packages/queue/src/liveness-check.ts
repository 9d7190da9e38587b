// Asks Redis continuously whether it answers, because a connection can look healthy while nothing comes back.

import { msToNextTick } from "@dari/domain";
import type { Redis } from "ioredis";

export interface LivenessCheck {
  /** An answer arrived within about the last second. */
  readonly isFresh: boolean;
  /** Tells that Redis has answered something else on this connection. The next question is then left out. */
  noticeAnswer(): void;
  stop(): void;
}

const askEveryMs = 500;
/** A question may take one second to be answered. */
const freshForMs = askEveryMs + 1_000;
/** After this time the connection is replaced, because a peer that is gone is not reported. Milliseconds. */
const reconnectAfterMs = 3_000;

/** How long Redis is asked after `isFresh` was last read, if it is only asked on demand. Milliseconds. */
const demandMs = 10_000;

export interface LivenessOptions {
  /** Counts Redis as available for the first second. */
  readonly startsFresh: boolean;
  /**
   * Asks only while `isFresh` is read. The first read after a rest counts Redis as available for the first second, as
   * `startsFresh` does (default: false).
   */
  readonly onDemand?: boolean;
}

export function startLivenessCheck(redis: Redis, { startsFresh, onDemand = false }: LivenessOptions): LivenessCheck {
  let answeredAt = startsFresh ? performance.now() : -Infinity;
  let connectionSince = performance.now();
  let [noticedAt, readAt] = [-Infinity, -Infinity];
  let asking = false;
  const isResting = (): boolean => onDemand && performance.now() - readAt > demandMs;
  const ask = async (): Promise<void> => {
    if (asking || redis.status !== "ready") return;
    asking = true;
    try {
      await redis.ping();
      answeredAt = performance.now();
    } catch {
      // Redis is away or slow. Without an answer, the pulse becomes stale.
    } finally {
      asking = false;
    }
  };
  const look = (): void => {
    if (isResting()) return;
    const now = performance.now();
    const isUp = redis.status === "ready" || redis.status === "connect";
    if (isUp && now - Math.max(answeredAt, connectionSince) > reconnectAfterMs) {
      connectionSince = now;
      asking = false;
      redis.disconnect(true);
    }
    if (now - noticedAt >= askEveryMs) void ask();
  };
  const stop = lookRegularly(look);
  redis.on("ready", () => void ask());
  return {
    get isFresh() {
      const wasResting = isResting();
      readAt = performance.now();
      if (wasResting) {
        answeredAt = connectionSince = readAt;
        void ask();
      }
      return readAt - answeredAt < freshForMs;
    },
    noticeAnswer() {
      answeredAt = noticedAt = performance.now();
    },
    stop,
  };
}

const looks = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/**
 * One timer serves all checks, and runs together with the loops of the process, because at rest a wake-up of this
 * process and of Redis costs more than a question.
 */
function lookRegularly(look: () => void): () => void {
  looks.add(look);
  timer ??= startTimer();
  return () => {
    looks.delete(look);
    if (looks.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
}

function startTimer(): NodeJS.Timeout {
  return setTimeout(() => {
    timer = startTimer();
    for (const each of looks) each();
  }, msToNextTick(askEveryMs)).unref();
}
