// Two ways of previews as one: the fast one while it answers, the database's otherwise. Watchers hear both.

import type { Previews } from "@dari/domain";

export function joinPreviews(fast: Previews & { readonly available: boolean }, fallback: Previews): Previews {
  return {
    send(sessionId, preview) {
      (fast.available ? fast : fallback).send(sessionId, preview);
    },
    follow(sessionId, listener) {
      const stops = [fast.follow(sessionId, listener), fallback.follow(sessionId, listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
    async close() {
      await Promise.all([fast.close(), fallback.close()]);
    },
  };
}
