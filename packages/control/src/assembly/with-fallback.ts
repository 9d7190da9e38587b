// Sends notifications and previews over Redis while it answers, and over the database otherwise. Listeners receive
// both.

import type { Notifier, Previews } from "@dari/domain";

interface Fast {
  readonly available: boolean;
}

export function joinNotifiers(fast: Notifier & Fast, fallback: Notifier): Notifier {
  return {
    notify(topic, id) {
      (fast.available ? fast : fallback).notify(topic, id);
    },
    subscribe(topic, id, listener) {
      const stops = [fast.subscribe(topic, id, listener), fallback.subscribe(topic, id, listener)];
      return () => stops.forEach((stop) => stop());
    },
    async close() {
      await Promise.all([fast.close(), fallback.close()]);
    },
  };
}

export function joinPreviews(fast: Previews & Fast, fallback: Previews): Previews {
  return {
    send(sessionId, preview) {
      (fast.available ? fast : fallback).send(sessionId, preview);
    },
    follow(sessionId, listener) {
      const stops = [fast.follow(sessionId, listener), fallback.follow(sessionId, listener)];
      return () => stops.forEach((stop) => stop());
    },
    isFollowed: (sessionId) => (fast.available ? fast : fallback).isFollowed(sessionId),
    async close() {
      await Promise.all([fast.close(), fallback.close()]);
    },
  };
}
