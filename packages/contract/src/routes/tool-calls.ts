// Tool calls of a message, and the values that are too large for its events.

import Type from "typebox";
import type { Route } from "./route.ts";
import { integerText } from "../schemas/common.ts";
import { ToolCall } from "../schemas/tool-calls.ts";

export const toolCallRoutes = {
  getToolCall: {
    method: "GET",
    path: "/v1/messages/{message_id}/tool-calls/{call_id}",
    scope: "read",
    summary:
      "Get a tool call with its whole arguments and result. If several attempts made a call with this id, get the " +
      "last one.",
    query: Type.Object({ attempt: Type.Optional(integerText(1, 1_000_000, "Only this attempt.")) }),
    reply: ToolCall,
    status: 200,
  },
  getMessageValue: {
    method: "GET",
    path: "/v1/messages/{message_id}/values/{value_id}",
    scope: "read",
    summary:
      "Download a large or binary value that the agent's events name: arguments, a result, a picture. Accepts `Range`.",
    replyContent: "*/*",
    status: 200,
    alsoStatus: [206],
  },
} as const satisfies Record<string, Route>;
