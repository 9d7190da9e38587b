// Renders events for clients. A message's last event contains the message's record, read at that time.

import type { EventRecord, MessageRecord } from "@dari/contract";
import type { EventRow } from "@dari/db";

const lastEventTypes: readonly string[] = ["message.completed", "message.failed", "message.cancelled"];

/** Returns the message whose record the event contains, if any. */
export function messageIdShownBy(row: EventRow): string | undefined {
  return lastEventTypes.includes(row.type) && row.messageId !== null ? row.messageId : undefined;
}

/** Renders an event. Events are stored in the contract's form, and tests validate every event that they cause. */
export function renderEvent(sessionId: string, row: EventRow, message: MessageRecord | undefined): EventRecord {
  const event = {
    id: eventId(sessionId, row.sequenceNumber),
    sequence_number: row.sequenceNumber,
    type: row.type,
    session_id: sessionId,
    ...(row.messageId === null ? {} : { message_id: row.messageId }),
    ...(row.attemptId === null ? {} : { attempt_id: row.attemptId }),
    created_at: row.createdAt.toISOString(),
    data: message ?? row.data,
  };
  return event as EventRecord;
}

/** Returns the id of an event, which contains session and number. Ids of a session sort in the order of its events. */
function eventId(sessionId: string, sequenceNumber: number): string {
  return `evt_${sessionId.slice(sessionId.indexOf("_") + 1)}${String(sequenceNumber).padStart(10, "0")}`;
}
