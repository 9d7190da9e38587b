// LISTEN/NOTIFY as the notifier: one connection listens, reconnects by itself, and carries ids only.

import type { Notifier, WakeTopic } from "@dari/domain";
import pg from "pg";
import { clientConfig, type Database } from "./database.ts";

const channel = "dari_wake";
const reconnectMs = 500;

/** Wakes through PostgreSQL. What is sent while a listener reconnects is lost: listeners poll as well. */
export function createPgNotifier(db: Database, applicationName: string): Notifier {
  const listeners = new Map<string, Set<(id: string) => void>>();
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
    next.on("notification", (message) => dispatch(listeners, message.payload ?? ""));
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
    subscribe: (topic, id, listener) => subscribeIn(listeners, topic, id, listener),
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}

function subscribeIn(
  listeners: Map<string, Set<(id: string) => void>>,
  topic: WakeTopic,
  id: string | undefined,
  listener: (id: string) => void,
): () => void {
  const key = id === undefined ? topic : `${topic} ${id}`;
  const set = listeners.get(key) ?? new Set();
  listeners.set(key, set.add(listener));
  return () => {
    set.delete(listener);
    if (set.size === 0 && listeners.get(key) === set) listeners.delete(key);
  };
}

function dispatch(listeners: Map<string, Set<(id: string) => void>>, payload: string): void {
  const id = payload.slice(payload.indexOf(" ") + 1);
  const topic = payload.slice(0, payload.indexOf(" "));
  for (const listener of listeners.get(payload) ?? []) listener(id);
  for (const listener of listeners.get(topic) ?? []) listener(id);
}
