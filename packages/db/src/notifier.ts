// The notifier over LISTEN/NOTIFY. Carries only ids: listeners also poll, and read the row.

import { createWakeRegistry, type Notifier } from "@dari/domain";
import type { Database } from "./database.ts";
import { listenOn } from "./listen.ts";

const channel = "dari_wake";

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
  const outbox = createOutbox(db);
  return {
    notify: (topic, id) => outbox.send(`${topic} ${id}`),
    subscribe: registry.subscribe,
    async close() {
      await outbox.flush();
      await listener.close();
    },
  };
}

/** Sends the notifications of one pass of the event loop together, each once. */
function createOutbox(db: Database): { send(payload: string): void; flush(): Promise<void> } {
  let waiting = new Set<string>();
  const flush = async (): Promise<void> => {
    const payloads = [...waiting];
    waiting = new Set();
    if (payloads.length === 0) return;
    const text = "select pg_notify($1, payload) from unnest($2::text[]) as payload";
    await db.pool.query(text, [channel, payloads]).catch(() => undefined);
  };
  return {
    send(payload) {
      if (waiting.size === 0) setImmediate(() => void flush());
      waiting.add(payload);
    },
    flush,
  };
}
