// Redis pub/sub as the notifier. It sends only ids. Listeners read the row, and also poll it slowly.

import { createWakeRegistry, type Notifier, type WakeTopic } from "@dari/domain";
import type { Redis } from "ioredis";
import { startLivenessCheck } from "./liveness-check.ts";
import { connectFailingFast, connectWaiting, disconnect } from "./redis.ts";

export interface RedisNotifier extends Notifier {
  readonly available: boolean;
}

export function createRedisNotifier(redisUrl: string, prefix: string): RedisNotifier {
  const publisher = connectFailingFast(redisUrl);
  const subscriber = connectWaiting(redisUrl);
  const pulse = startLivenessCheck(publisher, { startsFresh: false });
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
  const outbox = createOutbox(publisher);

  subscriber.on("message", (channel: string, id: string) => {
    registry.wake(channel.slice(channel.lastIndexOf(":") + 1), id);
  });

  return {
    get available() {
      return publisher.status === "ready" && pulse.isFresh;
    },
    notify(topic, id) {
      outbox.send(channelOf(topic), id);
    },
    subscribe(topic, id, listener) {
      hear(topic);
      return registry.subscribe(topic, id, listener);
    },
    close() {
      pulse.stop();
      hearing.stop();
      disconnect(publisher);
      disconnect(subscriber);
      return Promise.resolve();
    },
  };
}

/** Sends everything of one pass of the event loop together, each message once. */
function createOutbox(publisher: Redis): { send(channel: string, id: string): void } {
  let waiting = new Map<string, Set<string>>();
  const flush = (): void => {
    const pipeline = publisher.pipeline();
    for (const [channel, ids] of waiting) for (const id of ids) pipeline.publish(channel, id);
    waiting = new Map();
    pipeline.exec().catch(() => undefined);
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
