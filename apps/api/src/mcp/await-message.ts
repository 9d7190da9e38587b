// Waits for a message by its session's events, and reports what the turn does. Counts as an open stream.

import type { MessageRecord } from "@dari/contract";
import { followSession, type StreamItem } from "@dari/control/outbound";
import { unauthenticated } from "@dari/control/tenants";
import { getMessage } from "@dari/control/turns";
import { isSettled, type AwaitMessage } from "@dari/mcp";
import type { Call } from "../http/call.ts";
import { createReporter, describeItem } from "./report.ts";

type WaitingCall = Pick<Call, "control" | "actor" | "signal">;

/** Returns the waiting function of one call. When the platform shuts down, it returns the current record. */
export function createAwaitMessage({ control, actor, signal: callSignal }: WaitingCall): AwaitMessage {
  return async (message, { timeoutMs, signal: toolSignal, report }) => {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), timeoutMs);
    const signal = AbortSignal.any([over.signal, callSignal, toolSignal]);
    // The place was taken before anything was sent.
    const options = { afterSequenceNumber: undefined, signal, isCounted: true };
    const reporter = createReporter(report, `${message.id} is ${message.status}`);
    let items: Items | undefined;
    try {
      items = await followSession(control, actor, message.session_id, options);
      const read = () => getMessage(control, actor, message.id);
      const record = await readUntilSettled(items, message.id, read, reporter.note);
      // The events also end if the key was revoked.
      if (!isSettled(record) && !signal.aborted) throw unauthenticated();
      return record;
    } finally {
      clearTimeout(timer);
      reporter.stop();
      over.abort();
      await items?.return(undefined);
    }
  };
}

type Items = AsyncGenerator<StreamItem, void, void>;

/** Returns the record when it is settled, or when the events end. */
async function readUntilSettled(
  items: Items,
  messageId: string,
  read: () => Promise<MessageRecord>,
  note: (text: string) => void,
): Promise<MessageRecord> {
  // Starts the generator, which releases its place only then. What happened before it is in the first record.
  let next = items.next();
  next.catch(() => undefined);
  for (let record = await read(); ;) {
    if (isSettled(record)) return record;
    const { done, value: item } = await next;
    if (done === true) return read();
    next = items.next();
    next.catch(() => undefined);
    const text = describeItem(item);
    if (text !== undefined) note(text);
    if (mayChange(item, messageId)) record = await read();
  }
}

/** Returns whether the message may have another status. */
function mayChange(item: StreamItem, messageId: string): boolean {
  if (item.kind !== "event" || item.event.message_id !== messageId) return false;
  return item.event.type.startsWith("message.") || item.event.type === "input.requested";
}
