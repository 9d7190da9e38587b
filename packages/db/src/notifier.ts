// LISTEN/NOTIFY as the notifier. Carries ids only: listeners poll as well, and read the row.

import { createWakeRegistry, type Notifier } from "@dari/domain";
import type { Database } from "./database.ts";
import { listenOn } from "./listen.ts";

const channel = "dari_wake";

/** Wakes through PostgreSQL. */
export function createPgNotifier(db: Database, applicationName: string): Notifier {
  const registry = createWakeRegistry();
  const listener = listenOn(db, {
    channel,
    applicationName,
    onPayload(text) {
      const [topic = "", id = ""] = text.split(" ");
      registry.wake(topic, id);
    },
  });
  return {
    notify(topic, id) {
      db.pool.query("select pg_notify($1, $2)", [channel, `${topic} ${id}`]).catch(() => undefined);
    },
    subscribe: registry.subscribe,
    close: listener.close,
  };
}
