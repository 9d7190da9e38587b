// A tool call of a message, with its whole arguments and result.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { anyJson, toolKinds } from "./activity.ts";
import { idOutput, nullable, oneOf, timestamp } from "./common.ts";

const ToolCallValue = Type.Object(
  {
    value: Type.Unsafe<unknown>({
      ...anyJson,
      description:
        "JSON, or text. A picture or another binary part is `{type, media_type, size_bytes, value_id}`. " +
        "If `is_cut`, the beginning of the value, as text.",
    }),
    media_type: Type.String({ examples: ["application/json", "text/plain"] }),
    size_bytes: Type.Integer({ minimum: 0, description: "Size of the whole value: of the text, or of its JSON." }),
    is_cut: Type.Boolean({
      description: `The whole value is not kept. It has more than ${limits.valueBytes} bytes, or a limit was reached.`,
    }),
    value_id: Type.Optional(
      Type.String({ ...idOutput("value"), description: "Downloads the value. Only if its event has it cut." }),
    ),
  },
  { title: "ToolCallValue" },
);
export type ToolCallValue = Static<typeof ToolCallValue>;

export const ToolCall = Type.Object(
  {
    message_id: idOutput("message"),
    attempt_id: Type.Optional(
      Type.String({
        ...idOutput("attempt"),
        description: "The attempt that requested it. Absent if the session was imported without it.",
      }),
    ),
    call_id: Type.String({ examples: ["call_1f8b3a6e"] }),
    name: Type.String({ examples: ["search"] }),
    kind: Type.Optional(oneOf(toolKinds)),
    server: Type.Optional(Type.String({ description: "Name of the MCP server." })),
    agent: Type.Optional(Type.String({ description: "Name of the agent or subagent." })),
    parent_call_id: Type.Optional(Type.String({ description: "The tool call that runs the subagent." })),
    arguments: nullable(ToolCallValue),
    result: nullable(ToolCallValue),
    is_error: nullable(Type.Boolean({ description: "Null until the call ends." })),
    duration_ms: nullable(Type.Integer({ minimum: 0 })),
    requested_at: nullable(timestamp),
    completed_at: nullable(timestamp),
  },
  { title: "ToolCall" },
);
export type ToolCall = Static<typeof ToolCall>;
