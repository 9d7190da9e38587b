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

/**
 * ioredis sends commands of its own, such as the subscriptions after a loss, and listens to no failure of them: a
 * connection that is closed meanwhile would end the process. A caller that awaits a command still gets its error.
 */
class HeardRedis extends Redis {
  override sendCommand(...command: Parameters<Redis["sendCommand"]>): unknown {
    const sent = super.sendCommand(...command);
    if (sent instanceof Promise) sent.catch(ignore);
    return sent;
  }
}

/** For consumers: BullMQ makes a second connection of it, on which it blocks. */
export class ConsumerRedis extends HeardRedis {
  readonly #copies: Redis[] = [];

  constructor(url: string) {
    super(url, { ...shared, maxRetriesPerRequest: null, commandTimeout: consumerMs });
    this.on("error", ignore);
  }

  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = new HeardRedis({ ...this.options, ...override, commandTimeout: blockingMs });
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
export function keepListening(connection: RedisConnection): void {
  const removeAll = connection.removeAllListeners.bind(connection);
  connection.removeAllListeners = (event) => removeAll(event).on("error", ignore);
  connection.on("error", ignore);
}

/** For queues and consumers: see `keepListening`. */
export class BullConnection extends RedisConnection {
  constructor(...options: ConstructorParameters<typeof RedisConnection>) {
    super(...options);
    keepListening(this);
  }
}

const shared: RedisOptions = {
  connectTimeout: connectMs,
  disconnectTimeout: disconnectMs,
  retryStrategy: (times) => Math.min(50 * times, reconnectMsMax),
};

function connect(url: string, options: RedisOptions): Redis {
  const redis = new HeardRedis(url, { ...shared, ...options });
  redis.on("error", ignore);
  return redis;
}

/** Callers see their commands fail. An outage is not an error of this process. */
function ignore(): void {}

/** Closes without waiting for a Redis that is away. */
export function disconnect(redis: Redis): void {
  redis.disconnect();
}
