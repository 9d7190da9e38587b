// Two notifiers as one: the fast one while it answers, the database's otherwise. Listeners hear both.

import type { Notifier } from "@dari/domain";

export function joinNotifiers(fast: Notifier & { readonly available: boolean }, fallback: Notifier): Notifier {
  return {
    notify(topic, id) {
      (fast.available ? fast : fallback).notify(topic, id);
    },
    subscribe(topic, id, listener) {
      const stopFast = fast.subscribe(topic, id, listener);
      const stopFallback = fallback.subscribe(topic, id, listener);
      return () => {
        stopFast();
        stopFallback();
      };
    },
    async close() {
      await Promise.all([fast.close(), fallback.close()]);
    },
  };
}
