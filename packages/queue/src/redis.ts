// Connections to Redis or Valkey. Redis holds nothing that the platform cannot lose.

import { Redis, type RedisOptions } from "ioredis";

const reconnectMsMax = 1_000;

/** For producers and notifiers: commands fail at once while Redis is away, instead of waiting in memory. */
export function connectFailingFast(url: string): Redis {
  return connect(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 2_000 });
}

/** For consumers: BullMQ asks that blocking commands wait for Redis to come back. */
export function connectWaiting(url: string): Redis {
  return connect(url, { maxRetriesPerRequest: null });
}

function connect(url: string, options: RedisOptions): Redis {
  const redis = new Redis(url, {
    ...options,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(50 * times, reconnectMsMax),
  });
  // Whoever uses the connection sees its commands fail; an outage is not an error of this process.
  redis.on("error", () => undefined);
  return redis;
}

/** Closes without waiting for a Redis that is away. */
export function disconnect(redis: Redis): void {
  redis.disconnect();
}
