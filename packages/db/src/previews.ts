// Previews over LISTEN/NOTIFY: one channel for all sessions, heard by processes that watch any.

import { createListeners, decodePreview, encodePreview, type Preview, type Previews } from "@dari/domain";
import type { Database } from "./database.ts";
import { listenOn } from "./listen.ts";

const channel = "dari_preview";
/**
 * Previews on their way to the database; what comes meanwhile is dropped, so that turns' own statements do not wait.
 */
const sendingMax = 100;

/** For an installation without Redis, and while Redis is away. */
export function createPgPreviews(db: Database, applicationName: string): Previews {
  const listeners = createListeners<Preview>();
  let sending = 0;
  let listening: { close(): Promise<void> } | undefined;
  const onPayload = (text: string): void => {
    const space = text.indexOf(" ");
    // Every process hears the previews of all sessions, and most of them for nothing.
    if (!listeners.has(text.slice(0, space))) return;
    const preview = decodePreview(text.slice(space + 1));
    if (preview !== undefined) listeners.call(text.slice(0, space), preview);
  };
  return {
    send(sessionId, preview) {
      const text = encodePreview(preview);
      if (text === undefined || sending >= sendingMax) return;
      sending += 1;
      const sent = db.pool.query("select pg_notify($1, $2)", [channel, `${sessionId} ${text}`]);
      void sent.catch(() => undefined).finally(() => (sending -= 1));
    },
    follow(sessionId, listener) {
      // Only a process that watches needs the connection.
      listening ??= listenOn(db, { channel, applicationName, onPayload });
      return listeners.add(sessionId, listener);
    },
    async close() {
      await listening?.close();
    },
  };
}
