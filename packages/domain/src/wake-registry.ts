// Who listens for which wake-up inside one process. Shared by every notifier; knows no transport.

import type { WakeTopic } from "./ports.ts";

export interface WakeRegistry {
  subscribe(topic: WakeTopic, id: string | undefined, listener: (id: string) => void): () => void;
  /** Calls the listeners of this id and those of the whole topic. */
  wake(topic: string, id: string): void;
}

export function createWakeRegistry(): WakeRegistry {
  const listeners = new Map<string, Set<(id: string) => void>>();
  return {
    subscribe(topic, id, listener) {
      const key = id === undefined ? topic : `${topic} ${id}`;
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
      };
    },
    wake(topic, id) {
      for (const key of [topic, `${topic} ${id}`]) {
        for (const listener of [...(listeners.get(key) ?? [])]) listener(id);
      }
    },
  };
}
