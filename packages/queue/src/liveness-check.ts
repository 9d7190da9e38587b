// Asks Redis continuously whether it answers, because a connection can look healthy while nothing comes back.

import type { Redis } from "ioredis";

export interface LivenessCheck {
  /** An answer arrived within about the last second. */
  readonly isFresh: boolean;
  stop(): void;
}

const askEveryMs = 500;
/** A question may take one second to be answered. */
const freshForMs = askEveryMs + 1_000;
/** After this time the connection is replaced, because a peer that is gone is not reported. Milliseconds. */
const reconnectAfterMs = 3_000;

/** `startsFresh`: counts Redis as available for the first second. */
export function startLivenessCheck(redis: Redis, { startsFresh }: { startsFresh: boolean }): LivenessCheck {
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
      // Redis is away or slow. Without an answer, the pulse becomes stale.
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
  const stop = lookRegularly(look);
  redis.on("ready", () => void ask());
  return {
    get isFresh() {
      return performance.now() - answeredAt < freshForMs;
    },
    stop,
  };
}

const looks = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/** One timer serves all checks, because at rest a wake-up of this process and of Redis costs more than a question. */
function lookRegularly(look: () => void): () => void {
  looks.add(look);
  timer ??= setInterval(() => {
    for (const each of looks) each();
  }, askEveryMs).unref();
  return () => {
    looks.delete(look);
    if (looks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
