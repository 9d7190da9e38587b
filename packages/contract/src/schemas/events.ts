// The ledger of a session: one numbering for lists and streams.

import Type, { type Static } from "typebox";
import { idOutput, timestamp } from "./common.ts";

/** Types with a sequence number. Clients ignore the types they do not know. */
export const eventTypes = [
  "session.created",
  "session.status_changed",
  "user.message",
  "message.status_changed",
  "attempt.started",
  "attempt.ended",
  "assistant.message_completed",
  "tool.call_requested",
  "tool.call_completed",
  "agent.event",
  "input.requested",
  "input.submitted",
  "workspace.committed",
  "workspace.restored_from_older",
  "message.completed",
  "message.failed",
  "message.cancelled",
] as const;
export type EventType = (typeof eventTypes)[number];

/** Types that only a stream carries: without number, never stored. */
export const previewEventTypes = ["assistant.text_delta", "log"] as const;
export type PreviewEventType = (typeof previewEventTypes)[number];

export const EventRecord = Type.Object(
  {
    id: idOutput("event"),
    sequence_number: Type.Integer(),
    type: Type.String({ examples: [...eventTypes] }),
    session_id: idOutput("session"),
    message_id: Type.Optional(idOutput("message")),
    attempt_id: Type.Optional(idOutput("attempt")),
    created_at: timestamp,
    data: Type.Unsafe<Record<string, unknown>>({ type: "object" }),
  },
  { title: "Event" },
);
export type EventRecord = Static<typeof EventRecord>;
