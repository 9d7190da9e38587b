// LISTEN/NOTIFY as the notifier: one connection listens, reconnects by itself, and carries ids only.

import { createWakeRegistry, type Notifier } from "@dari/domain";
import pg from "pg";
import { clientConfig, type Database } from "./database.ts";

const channel = "dari_wake";
const reconnectMs = 500;

/** Wakes through PostgreSQL. What is sent while a listener reconnects is lost: listeners poll as well. */
export function createPgNotifier(db: Database, applicationName: string): Notifier {
  const registry = createWakeRegistry();
  let client: pg.Client | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    if (closed) return;
    const next = new pg.Client(clientConfig({ url: db.url, role: "dari_app", applicationName }));
    const lost = (): void => {
      if (client !== next) return;
      client = undefined;
      scheduleConnect();
    };
    next.on("error", lost);
    next.on("end", lost);
    next.on("notification", (message) => {
      const [topic = "", id = ""] = (message.payload ?? "").split(" ");
      registry.wake(topic, id);
    });
    client = next;
    try {
      await next.connect();
      await next.query(`listen ${channel}`);
    } catch {
      lost();
      await next.end().catch(() => undefined);
    }
  };
  const scheduleConnect = (): void => {
    if (closed) return;
    clearTimeout(retry);
    retry = setTimeout(() => void connect(), reconnectMs);
  };
  void connect();

  return {
    notify(topic, id) {
      db.pool.query("select pg_notify($1, $2)", [channel, `${topic} ${id}`]).catch(() => undefined);
    },
    subscribe: registry.subscribe,
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
