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

/**
 * Polls the stored log, so that no output is missed or shown twice. Resolves when the message has ended, and the one it
 * was merged into. Skips messages in `followed`, and adds each that it follows.
 */
export async function followMessage(
  reader: LogReader,
  messageId: string,
  followed: Set<string> = new Set(),
): Promise<void> {
  if (followed.has(messageId)) return;
  followed.add(messageId);
  const { api, signal, timestamps } = reader;
  let shown = 0;
  for (;;) {
    const record = await api.getMessage(messageId, {}, { signal });
    const stored = await api.getMessageLogs(messageId, { timestamps }, { signal });
    // The last line may not have ended: its newline comes with the rest.
    const logs = isTerminal(record) ? stored : stored.replace(/\n$/, "");
    if (logs.length > shown) reader.show(record, logs.slice(shown));
    shown = Math.max(shown, logs.length);
    if (isTerminal(record)) {
      const into = record.merged_into ?? record.delivered_in;
      return into === undefined ? undefined : followMessage(reader, into, followed);
    }
    await pause(pollEveryMs, undefined, { signal });
  }
}

/**
 * Follows the messages of a session that have not ended, and all that are sent from now on. A session in which all have
 * ended begins with its newest message. Resolves when the session is deleted.
 */
export async function followSession(reader: LogReader, sessionId: string): Promise<void> {
  const { api, signal } = reader;
  const ended: string[] = [];
  let isIdle = true;
  for await (const message of eachRow((page) => api.listMessages(sessionId, page, { signal }))) {
    if (isTerminal(message)) ended.push(message.id);
    else isIdle = false;
  }
  const followed = new Set(isIdle ? ended.slice(0, -1) : ended);
  for await (const event of api.streamSession(sessionId, {}, { signal })) {
    if (!isLedgerEvent(event) || event.message_id === undefined) continue;
    if (event.type === "attempt.started") await followMessage(reader, event.message_id, followed);
  }
}

/**
 * Follows all messages of an agent that have not ended, and all that are sent from now on, in the sessions with the
 * newest messages. Ends only when the signal aborts.
 */
export async function followAgent(reader: LogReader, agent: string): Promise<never> {
  const { api, signal } = reader;
  const followed = new Set<string>();
  /** The newest known message of each session. */
  const known = new Map<string, string>();
  /** The agent's last activity before the first look, by the platform's clock. */
  let start: string | undefined;
  const failures = new AbortController();
  const follow = (messageId: string): void => {
    followMessage(reader, messageId, followed)
      .catch(ignoreDeleted)
      .catch((error: unknown) => failures.abort(error));
  };
  const followIn = async (sessionId: string, before: string | undefined, since: string): Promise<void> => {
    const first = before === undefined ? {} : { after: before };
    for await (const message of eachRow((page) => api.listMessages(sessionId, { ...first, ...page }, { signal }))) {
      const isNew = before !== undefined || message.created_at >= since;
      if (isNew || !isTerminal(message)) follow(message.id);
    }
  };
  for (;;) {
    const { data } = await api.listSessionSummaries({ agent_id: agent, limit: sessionsMax }, { signal });
    start ??= data.map((session) => session.last_activity_at).reduce(later, "");
    for (const { id, status, last_message_id: last, last_activity_at: activity, created_at } of data) {
      const before = known.get(id);
      if (last === null || last === before) continue;
      known.set(id, last);
      const isPast = before === undefined && status !== "active" && activity <= start;
      // A fork begins with copies of older messages.
      if (!isPast) await followIn(id, before, later(start, created_at)).catch(ignoreDeleted);
    }
    await pause(lookEveryMs, undefined, { signal });
    failures.signal.throwIfAborted();
  }
}

function later(one: string, other: string): string {
  return one > other ? one : other;
}

/** A session can be deleted while its messages are followed. */
function ignoreDeleted(error: unknown): void {
  if (!(error instanceof ApiError && error.code === "not_found")) throw error;
}
