// Whether a Redis answers, asked all the time: a connection may look healthy while nothing comes back.

import type { Redis } from "ioredis";

export interface Pulse {
  /** An answer came within about the last second. */
  readonly isFresh: boolean;
  stop(): void;
}

const askEveryMs = 250;
/** One question that has had a second for its answer. */
const freshForMs = askEveryMs + 1_000;
/** Past this the connection is given up for another: nobody says that the far side is gone. Milliseconds. */
const reconnectAfterMs = 3_000;

/** `startsFresh`: give it a second before it counts as away. */
export function takePulse(redis: Redis, { startsFresh }: { startsFresh: boolean }): Pulse {
  let answeredAt = startsFresh ? performance.now() : -Infinity;
  let connectionSince = performance.now();
  let asking = false;
  const ask = async (): Promise<void> => {
    if (asking || redis.status !== "ready") return;
    asking = true;
    try {
      await redis.ping();
      answeredAt = performance.now();
    } catch {
      // It is away, or took too long: what has no answer grows old.
    } finally {
      asking = false;
    }
  };
  const look = (): void => {
    const now = performance.now();
    const isUp = redis.status === "ready" || redis.status === "connect";
    if (isUp && now - Math.max(answeredAt, connectionSince) > reconnectAfterMs) {
      connectionSince = now;
      asking = false;
      redis.disconnect(true);
    }
    void ask();
  };
  const timer = setInterval(look, askEveryMs);
  timer.unref();
  redis.on("ready", () => void ask());
  return {
    get isFresh() {
      return performance.now() - answeredAt < freshForMs;
    },
    stop: () => clearInterval(timer),
  };
}
