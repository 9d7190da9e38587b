// Listeners for notifications inside one process. Shared by every notifier; independent of transports.

import { createListeners } from "./listeners.ts";
import type { WakeTopic } from "./ports.ts";

export interface WakeRegistry {
  subscribe(topic: WakeTopic, id: string | undefined, listener: (id: string) => void): () => void;
  /** Calls the listeners of this id and those of the whole topic. */
  wake(topic: string, id: string): void;
}

export function createWakeRegistry(): WakeRegistry {
  const listeners = createListeners<string>();
  return {
    subscribe: (topic, id, listener) => listeners.add(id === undefined ? topic : `${topic} ${id}`, listener),
    wake(topic, id) {
      listeners.call(topic, id);
      listeners.call(`${topic} ${id}`, id);
    },
  };
}
