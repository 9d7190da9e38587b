// One message of the Model Context Protocol. The protocol's library checks what this leaves open.

import { mcpLimits } from "@dari/domain";
import Type, { type Static } from "typebox";

const id = Type.Union([Type.String({ maxLength: mcpLimits.idChars }), Type.Integer()], {
  "x-expected": `a number, or a text of at most ${mcpLimits.idChars} characters`,
  description: "Names a request. Absent for a notification.",
});

export const McpMessage = Type.Object(
  {
    jsonrpc: Type.Literal("2.0"),
    id: Type.Optional(id),
    method: Type.Optional(Type.String({ minLength: 1, maxLength: 200, examples: ["tools/call"] })),
    params: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: "object" })),
  },
  {
    title: "McpMessage",
    description: "A request, a notification or a response of JSON-RPC 2.0. Batches are refused.",
  },
);
export type McpMessage = Static<typeof McpMessage>;

export const McpReply = Type.Object(
  { jsonrpc: Type.Literal("2.0") },
  { title: "McpReply", description: "A response or, in a stream, also a notification of JSON-RPC 2.0." },
);

/** Refusals of the protocol's own rules have its form. */
export const McpRefusal = Type.Object(
  {
    jsonrpc: Type.Literal("2.0"),
    error: Type.Object({ code: Type.Integer(), message: Type.String() }),
  },
  { title: "McpRefusal", description: "A refusal by the rules of the Model Context Protocol." },
);

export const mcpQuery = Type.Object({
  agents: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description:
        `Names or ids of up to ${mcpLimits.agents} agents, separated by commas: each becomes one tool of its own ` +
        "name and description. Default: the general tools.",
    }),
  ),
});
