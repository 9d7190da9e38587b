// Connections to Redis or Valkey. Redis holds nothing that the platform cannot lose, and no command waits for ever.

import { RedisConnection } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";

const reconnectMsMax = 1_000;
const connectMs = 2_000;
/** For the far side to agree to the end of a connection, before it is broken off. */
const disconnectMs = 200;
/** For callers that have another way: they must not wait long for one that is silent. Milliseconds. */
const promptMs = 1_000;
/**
 * For what a consumer asks besides blocking. ioredis keeps the timers of commands that it meant to send again after a
 * lost connection, so a process that ends cannot be gone sooner than this. Milliseconds.
 */
const consumerMs = 1_500;
/** BullMQ blocks for up to ten seconds. */
const blockingMs = 12_000;

/** For producers and notifiers: commands fail at once while Redis is away, instead of waiting in memory. */
export function connectFailingFast(url: string): Redis {
  return connect(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: promptMs });
}

/** For subscribers: subscriptions wait for Redis to come back. */
export function connectWaiting(url: string): Redis {
  return connect(url, { maxRetriesPerRequest: null });
}

/** For consumers: BullMQ makes a second connection of it, on which it blocks. */
export class ConsumerRedis extends Redis {
  readonly #copies: Redis[] = [];

  constructor(url: string) {
    super(url, { ...shared, maxRetriesPerRequest: null, commandTimeout: consumerMs });
    this.on("error", ignore);
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = new Redis({ ...this.options, ...override, commandTimeout: blockingMs });
    copy.on("error", ignore);
    this.#copies.push(copy);
    return copy;
  }

  /** Both connections, without waiting for a Redis that is away. */
  disconnectAll(): void {
    for (const redis of [this, ...this.#copies]) redis.disconnect();
  }
}

/**
 * BullMQ's connection drops its listeners when it is closed, and may emit the error of its opening after that, or
 * before anybody listens: a Redis that is silent until then would end the process.
 */
export class BullConnection extends RedisConnection {
  constructor(...options: ConstructorParameters<typeof RedisConnection>) {
    super(...options);
    this.on("error", ignore);
  }

  override removeAllListeners(event?: string | symbol): this {
    return super.removeAllListeners(event).on("error", ignore);
  }
}

const shared: RedisOptions = {
  connectTimeout: connectMs,
  disconnectTimeout: disconnectMs,
  retryStrategy: (times) => Math.min(50 * times, reconnectMsMax),
};

function connect(url: string, options: RedisOptions): Redis {
  const redis = new Redis(url, { ...shared, ...options });
  redis.on("error", ignore);
  return redis;
}

/** Whoever uses the connection sees its commands fail; an outage is not an error of this process. */
function ignore(): void {}

/** Closes without waiting for a Redis that is away. */
export function disconnect(redis: Redis): void {
  redis.disconnect();
}
