// Streams of a session's events, and the transcript.

import Type from "typebox";
import type { Route } from "./route.ts";
import { integerText, listOf, listQuery } from "../schemas/common.ts";
import { TranscriptEntry } from "../schemas/events.ts";
import * as messages from "../schemas/messages.ts";

const afterSequenceNumber = integerText(
  0,
  Number.MAX_SAFE_INTEGER,
  "Only events after this sequence number. The header `Last-Event-ID` means the same and takes precedence.",
);
const streamQuery = Type.Object({ after_seq: Type.Optional(afterSequenceNumber) });

export const streamRoutes = {
  sendMessageStream: {
    method: "POST",
    path: "/v1/sessions/{session_id}/messages/stream",
    scope: "run",
    summary: "Send a message and stream its turn until its last event.",
    request: messages.SendMessageRequest,
    replyContent: "text/event-stream",
    status: 200,
    countsAs: "messages",
    idempotent: true,
  },
  streamMessage: {
    method: "GET",
    path: "/v1/messages/{message_id}/stream",
    scope: "read",
    summary:
      "Stream a message from its acceptance to its last event. 204 if that event is not after the requested position.",
    query: streamQuery,
    replyContent: "text/event-stream",
    status: 200,
    alsoStatus: [204],
  },
  streamSession: {
    method: "GET",
    path: "/v1/sessions/{session_id}/stream",
    scope: "read",
    summary: "Stream a session's events: each once, in order, with previews between them.",
    query: streamQuery,
    replyContent: "text/event-stream",
    status: 200,
  },
  getTranscript: {
    method: "GET",
    path: "/v1/sessions/{session_id}/transcript",
    scope: "read",
    summary:
      "Get the conversation as a timeline: messages, answers, what the agent did, changed files and failures. With " +
      "`include=tool_calls`, tool calls are also parts of the answers.",
    query: Type.Object({ ...listQuery, include: messages.includeQuery }),
    reply: listOf("entries", TranscriptEntry),
    status: 200,
  },
} as const satisfies Record<string, Route>;
