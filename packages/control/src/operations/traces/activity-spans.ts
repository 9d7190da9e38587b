// The spans of what an agent does during a turn, named by OpenTelemetry's conventions for generative AI. They have no
// arguments, results and texts.

import type { EndedSpan } from "@dari/runtime";
import { numberOf, textOf, type Fields } from "./log-fields.ts";
import { spanIdOf, traceIdsFor } from "./trace-ids.ts";

type Attributes = EndedSpan["attributes"];

/** Fields of `usage`, and the attributes that contain them. */
const usageAttributes = {
  input_tokens: "gen_ai.usage.input_tokens",
  output_tokens: "gen_ai.usage.output_tokens",
  cached_input_tokens: "gen_ai.usage.cache_read.input_tokens",
  reasoning_tokens: "gen_ai.usage.reasoning.output_tokens",
} as const;

/** The events that end such a span. `nowMs`: when the event arrived, in milliseconds since 1970. */
export const activitySpans: Readonly<Record<string, (fields: Fields, nowMs: number) => EndedSpan[]>> = {
  "model.request_completed": (fields, nowMs) => [
    endedSpan(fields, nowMs, {
      id: `chat ${numberOf(fields["ordinal"])}`,
      parent: callerOf(fields),
      name: nameOf("chat", fields["model"]),
      kind: "client",
      attributes: {
        "gen_ai.operation.name": "chat",
        ...given("gen_ai.provider.name", fields["provider"]),
        ...given("gen_ai.request.model", fields["model"]),
        ...given("gen_ai.agent.name", fields["agent"]),
        ...usageOf(fields["usage"]),
        ...(typeof fields["finish_reason"] === "string"
          ? { "gen_ai.response.finish_reasons": [fields["finish_reason"]] }
          : {}),
      },
    }),
  ],
  "tool.call_completed": (fields, nowMs) => [
    endedSpan(fields, nowMs, {
      id: toolSpan(fields["call_id"]),
      parent: callerOf(fields),
      name: nameOf("execute_tool", fields["name"]),
      kind: "internal",
      attributes: {
        "gen_ai.operation.name": "execute_tool",
        ...given("gen_ai.tool.name", fields["name"]),
        ...given("gen_ai.tool.call.id", fields["call_id"]),
        ...given("gen_ai.agent.name", fields["agent"]),
      },
    }),
  ],
  "subagent.completed": (fields, nowMs) => [
    endedSpan(fields, nowMs, {
      id: subagentSpan(fields["parent_call_id"]),
      parent: toolSpan(fields["parent_call_id"]),
      name: nameOf("invoke_agent", fields["name"]),
      kind: "internal",
      attributes: { "gen_ai.operation.name": "invoke_agent", ...given("gen_ai.agent.name", fields["name"]) },
    }),
  ],
};

interface Described {
  /** Identifies the span, and its parent, within the attempt. */
  readonly id: string;
  readonly parent: string;
  readonly name: string;
  readonly kind: EndedSpan["kind"];
  readonly attributes: Attributes;
}

function endedSpan(fields: Fields, nowMs: number, { id, parent, ...described }: Described): EndedSpan {
  const attempt = textOf(fields["attempt"]);
  const isFailed = fields["is_error"] === true;
  return {
    ...described,
    traceId: traceIdsFor(textOf(fields["message"])).traceId,
    spanId: spanIdOf(attempt, id),
    parentSpanId: spanIdOf(attempt, parent),
    startMs: nowMs - numberOf(fields["duration_ms"]),
    endMs: nowMs,
    attributes: {
      ...described.attributes,
      "gen_ai.conversation.id": textOf(fields["session"]),
      // The convention's value for an error without a class.
      ...(isFailed ? { "error.type": "_OTHER" } : {}),
    },
    failure: isFailed ? "failed" : undefined,
  };
}

/** Returns the span of the agent or subagent. */
function callerOf(fields: Fields): string {
  const call = fields["parent_call_id"];
  return typeof call === "string" ? subagentSpan(call) : "agent";
}

const toolSpan = (callId: unknown): string => `tool ${textOf(callId)}`;
const subagentSpan = (callId: unknown): string => `subagent ${textOf(callId)}`;
const nameOf = (operation: string, what: unknown): string =>
  typeof what === "string" ? `${operation} ${what}` : operation;

function given(name: string, value: unknown): Attributes {
  return typeof value === "string" ? { [name]: value } : {};
}

function usageOf(usage: unknown): Attributes {
  const counts = Object.entries(usageAttributes).flatMap(([field, name]) => {
    const count = (usage as Fields | undefined)?.[field];
    return typeof count === "number" ? [[name, count] as const] : [];
  });
  return Object.fromEntries(counts);
}
