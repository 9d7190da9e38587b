// Follows what an agent writes: in one message, in a session, or in all sessions of the agent.

import { ApiError, eachRow, isLedgerEvent, isTerminal, type Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { setTimeout as pause } from "node:timers/promises";

/** How often the log of a running turn is read, in milliseconds. */
const pollEveryMs = 500;
/** How often an agent's sessions are looked at, in milliseconds. */
const lookEveryMs = 1_000;
/** Sessions of an agent that are followed at once: those with the newest messages. */
const sessionsMax = 20;

export interface LogReader {
  readonly api: Client;
  readonly signal: AbortSignal;
  /** Whether each line begins with its time. */
  readonly timestamps: boolean;
  /** Shows the next piece of a message's log. */
  show(message: MessageRecord, piece: string): void;
}

/** Polls the stored log, so that no output is missed or shown twice. Resolves when the message has ended. */
export async function followMessage(reader: LogReader, messageId: string): Promise<void> {
  const { api, signal, timestamps } = reader;
  let shown = 0;
  for (;;) {
    const record = await api.getMessage(messageId, { signal });
    const stored = await api.getMessageLogs(messageId, { timestamps }, { signal });
    // The last line may not have ended: its newline comes with the rest.
    const logs = isTerminal(record) ? stored : stored.replace(/\n$/, "");
    if (logs.length > shown) reader.show(record, logs.slice(shown));
    shown = Math.max(shown, logs.length);
    if (isTerminal(record)) {
      if (record.merged_into === undefined) return;
      return followMessage(reader, record.merged_into);
    }
    await pause(pollEveryMs, undefined, { signal });
  }
}

/** Follows the messages of a session from `newest` on; null: all. Resolves when the session is deleted. */
export async function followSession(reader: LogReader, sessionId: string, newest: string | null): Promise<void> {
  const { api, signal } = reader;
  const followed = new Set<string>();
  let isPast = newest !== null;
  for await (const event of api.streamSession(sessionId, {}, { signal })) {
    if (!isLedgerEvent(event) || event.message_id === undefined) continue;
    if (event.message_id === newest) isPast = false;
    if (isPast || event.type !== "attempt.started" || followed.has(event.message_id)) continue;
    followed.add(event.message_id);
    await followMessage(reader, event.message_id);
  }
}

/**
 * Follows all messages of an agent that have not ended, and all that are sent from now on, in the sessions with the
 * newest messages. Ends only when the signal aborts.
 */
export async function followAgent(reader: LogReader, agent: string): Promise<never> {
  const { api, signal } = reader;
  /** The newest known message of each session. */
  const known = new Map<string, string>();
  const failures = new AbortController();
  const follow = (messageId: string): void => {
    followMessage(reader, messageId).catch((error: unknown) => {
      // Its session was deleted.
      if (!(error instanceof ApiError && error.code === "not_found")) failures.abort(error);
    });
  };
  const look = async (isFirst: boolean): Promise<void> => {
    const { data } = await api.listSessionSummaries({ agent_id: agent, limit: sessionsMax }, { signal });
    for (const { id, status, last_message_id: last } of data) {
      const before = known.get(id);
      if (last === null || last === before) continue;
      known.set(id, last);
      if (before === undefined) {
        if (!isFirst || status === "active") follow(last);
        continue;
      }
      const load = eachRow((page) => api.listMessages(id, { ...page, after: page.after ?? before }, { signal }));
      for await (const message of load) follow(message.id);
    }
  };
  for (let isFirst = true; ; isFirst = false) {
    await look(isFirst);
    await pause(lookEveryMs, undefined, { signal });
    failures.signal.throwIfAborted();
  }
}
