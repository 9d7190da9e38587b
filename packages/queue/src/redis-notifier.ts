// Redis pub/sub as the notifier. It sends only ids. Listeners read the row, and also poll it slowly.

import { createWakeRegistry, type Notifier, type WakeTopic } from "@dari/domain";
import type { Redis } from "ioredis";
import { startLivenessCheck } from "./liveness-check.ts";
import { connectWaiting, disconnect } from "./connect-redis.ts";
import type { Sender } from "./redis-sender.ts";

export interface RedisNotifier extends Notifier {
  readonly available: boolean;
}

/** `sender`: closed by the caller. */
export function createRedisNotifier(sender: Sender, prefix: string): RedisNotifier {
  const subscriber = connectWaiting(sender.redisUrl);
  // Replaces a subscription whose connection is dead.
  const hearing = startLivenessCheck(subscriber, { startsFresh: false });
  const registry = createWakeRegistry();
  const channelOf = (topic: WakeTopic): string => `${prefix}:wake:${topic}`;
  const subscribedTopics = new Set<WakeTopic>();
  /** A process subscribes to a topic with its first listener, and stays subscribed because listeners come and go. */
  const hear = (topic: WakeTopic): void => {
    if (subscribedTopics.has(topic)) return;
    subscribedTopics.add(topic);
    subscriber.subscribe(channelOf(topic)).catch(() => subscribedTopics.delete(topic));
  };
  const outbox = createOutbox(sender.redis);

  subscriber.on("message", (channel: string, id: string) => {
    registry.wake(channel.slice(channel.lastIndexOf(":") + 1), id);
  });

  return {
    get available() {
      return sender.isAvailable;
    },
    notify(topic, id) {
      outbox.send(channelOf(topic), id);
    },
    subscribe(topic, id, listener) {
      hear(topic);
      return registry.subscribe(topic, id, listener);
    },
    close() {
      hearing.stop();
      disconnect(subscriber);
      return Promise.resolve();
    },
  };
}

/** Sends everything of one pass of the event loop together, each message once. */
function createOutbox(publisher: Redis): { send(channel: string, id: string): void } {
  let waiting = new Map<string, Set<string>>();
  const flush = (): void => {
    const { stream } = publisher;
    const sent = waiting;
    waiting = new Map();
    // One system call for all. A pipeline would first copy each script that BullMQ has defined on the connection.
    stream?.cork();
    try {
      for (const [channel, ids] of sent) for (const id of ids) publisher.publish(channel, id).catch(() => undefined);
    } finally {
      stream?.uncork();
    }
  };
  return {
    send(channel, id) {
      if (waiting.size === 0) setImmediate(flush);
      const ids = waiting.get(channel);
      if (ids === undefined) waiting.set(channel, new Set([id]));
      else ids.add(id);
    },
  };
}
