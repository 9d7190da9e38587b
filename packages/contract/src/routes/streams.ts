// Streams of the ledger, and its rendering as a timeline.

import Type from "typebox";
import type { Route } from "./route.ts";
import { integerText, listOf, listQuery } from "../schemas/common.ts";
import { TranscriptEntry } from "../schemas/events.ts";
import * as messages from "../schemas/messages.ts";

const afterSequenceNumber = integerText(
  0,
  Number.MAX_SAFE_INTEGER,
  "Only events after this sequence number; the header `Last-Event-ID` says the same and goes first.",
);
const streamQuery = Type.Object({ after_seq: Type.Optional(afterSequenceNumber) });

export const streamRoutes = {
  sendMessageStream: {
    method: "POST",
    path: "/v1/sessions/{session_id}/messages/stream",
    scope: "run",
    summary: "Send a message and watch its turn, to its last event.",
    request: messages.SendMessageRequest,
    replyContent: "text/event-stream",
    status: 200,
    spends: "messages",
    idempotent: true,
  },
  streamMessage: {
    method: "GET",
    path: "/v1/messages/{message_id}/stream",
    scope: "read",
    summary: "Watch a message from its acceptance to its last event; 204 when that is not after the place asked for.",
    query: streamQuery,
    replyContent: "text/event-stream",
    status: 200,
    alsoStatus: [204],
  },
  streamSession: {
    method: "GET",
    path: "/v1/sessions/{session_id}/stream",
    scope: "read",
    summary: "Watch a session's ledger: every event once, in order, with previews between them.",
    query: streamQuery,
    replyContent: "text/event-stream",
    status: 200,
  },
  getTranscript: {
    method: "GET",
    path: "/v1/sessions/{session_id}/transcript",
    scope: "read",
    summary: "The conversation as a timeline: what was said, what the agent reported, how turns ended.",
    query: Type.Object(listQuery),
    reply: listOf("entries", TranscriptEntry),
    status: 200,
  },
} as const satisfies Record<string, Route>;
