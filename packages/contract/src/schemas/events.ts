// The ledger of a session: one numbering for lists and streams.

import Type, { type Static } from "typebox";
import { idOutput, oneOf, timestamp } from "./common.ts";
import { FailureRecord } from "./agents.ts";
import { FileChange, MessagePart, OutputPart } from "./messages.ts";

/** Types with a sequence number. Clients ignore the types they do not know. */
export const eventTypes = [
  "session.created",
  "session.status_changed",
  "session.rolled_back",
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

const entryHead = {
  sequence_number: Type.Integer({ description: "Of the event that the entry shows." }),
  created_at: timestamp,
  message_id: Type.Optional(idOutput("message")),
};

/** What a reader of the conversation sees, by `kind`. Clients ignore the kinds they do not know. */
export const TranscriptEntry = Type.Union(
  [
    Type.Object({ ...entryHead, kind: oneOf(["user"]), parts: Type.Array(MessagePart) }),
    Type.Object({ ...entryHead, kind: oneOf(["assistant"]), parts: Type.Array(OutputPart) }),
    Type.Object({ ...entryHead, kind: oneOf(["files"]), files_changed: Type.Array(FileChange) }),
    Type.Object({ ...entryHead, kind: oneOf(["failure"]), status: Type.String(), error: FailureRecord }),
    Type.Object({
      ...entryHead,
      kind: oneOf(["event"]),
      type: Type.String({ examples: ["agent.event"] }),
      data: Type.Unsafe<Record<string, unknown>>({ type: "object" }),
    }),
  ],
  { title: "TranscriptEntry" },
);
export type TranscriptEntry = Static<typeof TranscriptEntry>;
