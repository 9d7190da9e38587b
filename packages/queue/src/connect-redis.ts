// Connections to Redis or Valkey. Redis stores nothing that the platform cannot lose, and no command waits forever.

import { RedisConnection } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";

const reconnectMsMax = 1_000;
const connectMs = 2_000;
/** How long the peer may take to agree to the end of a connection before it is broken off. */
const disconnectMs = 200;
/** For callers with a fallback, which must not wait long for a silent Redis. Milliseconds. */
const promptMs = 1_000;
/**
 * For the non-blocking commands of a consumer. ioredis keeps the timers of commands that it meant to resend after a
 * lost connection, so a process cannot end sooner than this. Milliseconds.
 */
const consumerMs = 1_500;
/** BullMQ blocks for up to ten seconds. */
const blockingMs = 12_000;

/** Connects producers and notifiers: while Redis is away, commands fail immediately instead of waiting in memory. */
export function connectFailingFast(url: string): Redis {
  return connect(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: promptMs });
}

/** Connects subscribers: subscriptions wait for Redis to come back. */
export function connectWaiting(url: string): Redis {
  return connect(url, { maxRetriesPerRequest: null });
}

/**
 * ioredis sends its own commands, such as the subscriptions after a lost connection, and does not handle their
 * failures: a connection that is closed at that time would end the process. A caller that awaits a command still gets
 * its error.
 */
class HeardRedis extends Redis {
  override sendCommand(...command: Parameters<Redis["sendCommand"]>): unknown {
    const sent = super.sendCommand(...command);
    if (sent instanceof Promise) sent.catch(ignore);
    return sent;
  }
}

/** For consumers: BullMQ derives a second connection from it, on which it blocks. */
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

  /** Closes both connections without waiting for an unavailable Redis. */
  disconnectAll(): void {
    for (const redis of [this, ...this.#copies]) redis.disconnect();
  }
}

/**
 * BullMQ's connection drops its listeners when it is closed, and may emit the error of its opening after that, or
 * before there is a listener: a Redis that is silent until then would end the process.
 */
export function keepSubscribed(connection: RedisConnection): void {
  const removeAll = connection.removeAllListeners.bind(connection);
  connection.removeAllListeners = (event) => removeAll(event).on("error", ignore);
  connection.on("error", ignore);
}

/** For queues and consumers: see `keepSubscribed`. */
export class BullConnection extends RedisConnection {
  constructor(...options: ConstructorParameters<typeof RedisConnection>) {
    super(...options);
    keepSubscribed(this);
  }
}

/** A connection that rests is still known to routers, and a lost one is noticed. Milliseconds. */
const keepAliveMs = 30_000;

const shared: RedisOptions = {
  keepAlive: keepAliveMs,
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

/** Closes without waiting for an unavailable Redis. */
export function disconnect(redis: Redis): void {
  redis.disconnect();
}
