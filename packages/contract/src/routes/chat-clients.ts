// A session for the chat clients of others: the package `ai` (useChat), and AG-UI.

import Type from "typebox";
import type { Route } from "./route.ts";
import * as agUi from "../schemas/ag-ui.ts";
import * as aiSdk from "../schemas/ai-sdk.ts";

const versionQuery = Type.Object({ version: aiSdk.aiVersionQuery });

export const chatClientRoutes = {
  sendUiMessage: {
    method: "POST",
    path: "/v1/sessions/{session_id}/ai-sdk",
    scope: "run",
    summary:
      "Send a message of the package `ai`, answer an input, or send a message again, and stream the turn as a UI " +
      "message.",
    query: versionQuery,
    request: aiSdk.SendUiMessageRequest,
    replyContent: "text/event-stream",
    streamItem: aiSdk.UiMessageChunk,
    status: 200,
    countsAs: "messages",
    idempotent: true,
  },
  streamUiMessage: {
    method: "GET",
    path: "/v1/sessions/{session_id}/ai-sdk/stream",
    scope: "read",
    summary: "Stream the running turn from its start, as a UI message. 204 if no turn is running or queued.",
    query: versionQuery,
    replyContent: "text/event-stream",
    streamItem: aiSdk.UiMessageChunk,
    status: 200,
    alsoStatus: [204],
  },
  listUiMessages: {
    method: "GET",
    path: "/v1/sessions/{session_id}/ai-sdk/messages",
    scope: "read",
    summary: "List the newest messages and answers as UI messages, the oldest first.",
    query: aiSdk.uiMessagesQuery,
    reply: aiSdk.UiMessages,
    status: 200,
  },
  runAgUi: {
    method: "POST",
    path: "/v1/sessions/{session_id}/ag-ui",
    scope: "run",
    summary: "Run the session's agent by the AG-UI protocol: send the last message, or answer an interrupt.",
    request: agUi.RunAgUiRequest,
    replyContent: "text/event-stream",
    streamItem: agUi.AgUiEvent,
    status: 200,
    countsAs: "messages",
    idempotent: true,
  },
} as const satisfies Record<string, Route>;

/** Returns whether a path is for chat clients of others. */
export function isChatClientPath(path: string): boolean {
  return /^\/v1\/sessions\/[^/]+\/(ai-sdk(\/|$)|ag-ui$)/.test(path);
}
