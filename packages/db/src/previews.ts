// Previews over LISTEN/NOTIFY: one channel for all sessions. Processes listen only if they watch a session.

import { createListeners, decodePreview, encodePreview, type Preview, type Previews } from "@dari/domain";
import type { Database } from "./database.ts";
import { listenOn } from "./listen.ts";

const channel = "dari_preview";
/**
 * Maximum number of previews that are being sent. More are dropped, so that they do not delay turns' own statements.
 */
const sendingMax = 100;

/** Creates previews for installations without Redis, and while Redis is unavailable. */
export function createPgPreviews(db: Database, applicationName: string): Previews {
  const listeners = createListeners<Preview>();
  let sending = 0;
  /** Connections of the pool overtake each other, so a session's previews are sent one after the other. */
  const lastOf = new Map<string, Promise<void>>();
  let listening: { close(): Promise<void> } | undefined;
  const onPayload = (text: string): void => {
    const space = text.indexOf(" ");
    // Every process receives the previews of all sessions, and needs few of them.
    if (!listeners.has(text.slice(0, space))) return;
    const preview = decodePreview(text.slice(space + 1));
    if (preview !== undefined) listeners.call(text.slice(0, space), preview);
  };
  return {
    send(sessionId, preview) {
      const text = encodePreview(preview);
      if (text === undefined || sending >= sendingMax) return;
      sending += 1;
      const notify = () => db.pool.query("select pg_notify($1, $2)", [channel, `${sessionId} ${text}`]);
      const done = (): void => {
        sending -= 1;
        if (lastOf.get(sessionId) === sent) lastOf.delete(sessionId);
      };
      const sent: Promise<void> = (lastOf.get(sessionId) ?? Promise.resolve()).then(notify).then(done, done);
      lastOf.set(sessionId, sent);
    },
    follow(sessionId, listener) {
      // Connect only if this process watches a session.
      listening ??= listenOn(db, { channel, applicationName, onPayload });
      return listeners.add(sessionId, listener);
    },
    // All sessions have one channel.
    isFollowed: () => Promise.resolve(true),
    async close() {
      await listening?.close();
    },
  };
}
