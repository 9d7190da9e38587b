// A connection that listens on one channel and reconnects. Notifications that are sent while it is disconnected are
// lost.

import pg from "pg";
import { clientConfig, type Database } from "./database.ts";

const reconnectMs = 500;

/** Calls `onPayload` for every notification until it is closed. Connects in the background. */
export function listenOn(
  db: Database,
  options: { readonly channel: string; readonly applicationName: string; readonly onPayload: (text: string) => void },
): { close(): Promise<void> } {
  let client: pg.Client | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<void> => {
    if (closed) return;
    const next = new pg.Client(clientConfig({ url: db.url, role: "dari_app", ...options }));
    const lost = (): void => {
      if (client !== next) return;
      client = undefined;
      scheduleConnect();
    };
    next.on("error", lost);
    next.on("end", lost);
    next.on("notification", (message) => options.onPayload(message.payload ?? ""));
    client = next;
    try {
      await next.connect();
      await next.query(`listen ${pg.escapeIdentifier(options.channel)}`);
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
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}
