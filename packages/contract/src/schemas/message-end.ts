// Recognizes the last event of a message.

import type { MessageEndEvent, StreamedEvent } from "./events.ts";

const messageEndTypes: readonly string[] = [
  "message.completed",
  "message.failed",
  "message.cancelled",
] satisfies readonly MessageEndEvent["type"][];

export function isMessageEnd(event: StreamedEvent): event is MessageEndEvent {
  return messageEndTypes.includes(event.type);
}
