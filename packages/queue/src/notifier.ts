// Redis pub/sub as the notifier. Carries ids only; whoever listens also polls slowly and reads the row.

import type { Notifier, WakeTopic } from "@dari/domain";
import { connectFailingFast, connectWaiting, disconnect } from "./redis.ts";

export interface RedisNotifier extends Notifier {
  readonly available: boolean;
}

const topics: readonly WakeTopic[] = ["ready", "dispatched", "message", "session", "build", "cancel"];

export function createRedisNotifier(redisUrl: string, prefix: string): RedisNotifier {
  const publisher = connectFailingFast(redisUrl);
  const subscriber = connectWaiting(redisUrl);
  const listeners = new Map<string, Set<(id: string) => void>>();
  const channelOf = (topic: WakeTopic): string => `${prefix}:wake:${topic}`;

  subscriber.subscribe(...topics.map(channelOf)).catch(() => undefined);
  subscriber.on("message", (channel: string, id: string) => {
    const topic = channel.slice(channel.lastIndexOf(":") + 1);
    for (const listener of listeners.get(topic) ?? []) listener(id);
    for (const listener of listeners.get(`${topic} ${id}`) ?? []) listener(id);
  });

  return {
    get available() {
      return publisher.status === "ready";
    },
    notify(topic, id) {
      publisher.publish(channelOf(topic), id).catch(() => undefined);
    },
    subscribe(topic, id, listener) {
      const key = id === undefined ? topic : `${topic} ${id}`;
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
      };
    },
    close() {
      disconnect(publisher);
      disconnect(subscriber);
      return Promise.resolve();
    },
  };
}
