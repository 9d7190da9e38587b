// Redis pub/sub as the notifier. Carries ids only; whoever listens also polls slowly and reads the row.

import { createWakeRegistry, type Notifier, type WakeTopic } from "@dari/domain";
import { connectFailingFast, connectWaiting, disconnect } from "./redis.ts";

export interface RedisNotifier extends Notifier {
  readonly available: boolean;
}

const topics: readonly WakeTopic[] = ["ready", "dispatched", "message", "session", "build", "cancel"];

export function createRedisNotifier(redisUrl: string, prefix: string): RedisNotifier {
  const publisher = connectFailingFast(redisUrl);
  const subscriber = connectWaiting(redisUrl);
  const registry = createWakeRegistry();
  const channelOf = (topic: WakeTopic): string => `${prefix}:wake:${topic}`;

  subscriber.subscribe(...topics.map(channelOf)).catch(() => undefined);
  subscriber.on("message", (channel: string, id: string) => {
    registry.wake(channel.slice(channel.lastIndexOf(":") + 1), id);
  });

  return {
    get available() {
      return publisher.status === "ready";
    },
    notify(topic, id) {
      publisher.publish(channelOf(topic), id).catch(() => undefined);
    },
    subscribe: registry.subscribe,
    close() {
      disconnect(publisher);
      disconnect(subscriber);
      return Promise.resolve();
    },
  };
}
