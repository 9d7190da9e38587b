// Events about what an agent does during a turn. The documentation of a type, its schema for clients, and the worker's
// check before it stores an event are made from this table.

import { idPrefixes, limits } from "@dari/domain";
import Type, { type TSchema } from "typebox";
import { idOutput, oneOf } from "./common.ts";
import type { ActivityType } from "../vocabulary.ts";

export const anyJson = Type.Unsafe<unknown>({});

/** Copies in a fork or an import have the id of the attempt that they were copied from. Older copies have none. */
export const ofCopiedAttempt = {
  message_id: idOutput("message"),
  attempt_id: Type.Optional(idOutput("attempt")),
};

/** What does a call. Everything that is neither of the others is a function. */
export const toolKinds = ["function", "mcp", "shell", "file", "web", "computer"] as const;
export const planStatuses = ["pending", "in_progress", "completed", "cancelled"] as const;

const word = (description: string) => Type.String({ maxLength: limits.nameChars, description });
const milliseconds = Type.Integer({ minimum: 0 });
const error = Type.String({ maxLength: limits.activityErrorChars });
const usage = Type.Unsafe<Record<string, number>>({
  type: "object",
  maxProperties: limits.activityUsageNames,
  propertyNames: { pattern: "^[a-z][a-z0-9_]{0,63}$" },
  additionalProperties: { type: "number", minimum: 0 },
  description: "Tokens of this request.",
  examples: [{ input_tokens: 1200, cached_input_tokens: 1000, output_tokens: 80, reasoning_tokens: 0 }],
});
/** The size of a value that was cut. */
const wholeBytes = Type.Optional(
  Type.Integer({
    minimum: 0,
    description: "Size of the whole value. Only if it has more than 16 KiB: the event then has its beginning, as text.",
  }),
);
/** Names the whole of a value that was cut. The agent's process chooses it, so it is checked. */
const wholeId = Type.Optional(
  Type.String({
    ...idOutput("value"),
    pattern: `^${idPrefixes.value}_[0-7][0-9a-hjkmnp-tv-z]{25}$`,
    description: "Only of a value that was cut and whose whole is kept: `GET /v1/messages/{id}/values/{value_id}`.",
  }),
);

const callId = word("The SDK's id of the call. Unique in its attempt.");
const ordinal = Type.Integer({ minimum: 1, description: "Counts the attempt's model requests from 1." });
const model = {
  provider: Type.Optional(word("As the SDK names it.")),
  model: Type.Optional(word("As the SDK names it.")),
};
/** Where in the agent it happened. */
const origin = {
  agent: Type.Optional(word("Name of the agent or subagent.")),
  parent_call_id: Type.Optional(word("The tool call that runs the subagent. Absent: the agent itself.")),
};

export interface ActivityKind {
  /** When it is stored: a sentence for the documentation. */
  readonly when: string;
  readonly ids: typeof ofCopiedAttempt;
  readonly data: TSchema & { readonly properties: Readonly<Record<string, TSchema>> };
  /** The field that may be large. If it is cut, `<field>_bytes` has its size, `<field>_value_id` the whole's id. */
  readonly value?: "arguments" | "result" | "text";
}

const ids = ofCopiedAttempt;

export const activityKinds = {
  "model.request_started": {
    when: "The agent asks a model.",
    ids,
    data: Type.Object({ ordinal, ...model, ...origin }),
  },
  "model.request_completed": {
    when: "The model has answered, or the request failed.",
    ids,
    data: Type.Object({
      ordinal,
      ...model,
      ...origin,
      usage: Type.Optional(usage),
      duration_ms: milliseconds,
      finish_reason: Type.Optional(word("As the SDK names it.")),
      error: Type.Optional(error),
    }),
  },
  "reasoning.completed": {
    when: "The model's reasoning, or its summary, if the SDK shows one.",
    ids,
    data: Type.Object({ text: Type.String(), text_bytes: wholeBytes, text_value_id: wholeId, ...origin }),
    value: "text",
  },
  "assistant.message": {
    when: "Text that the model wrote before a tool call. It is not part of the answer.",
    ids,
    data: Type.Object({ text: Type.String(), text_bytes: wholeBytes, text_value_id: wholeId, ...origin }),
    value: "text",
  },
  "tool.call_requested": {
    when: "The agent calls a tool.",
    ids,
    data: Type.Object({
      call_id: callId,
      name: word("Name of the tool."),
      kind: oneOf(toolKinds),
      server: Type.Optional(word("Name of the MCP server.")),
      arguments: anyJson,
      arguments_bytes: wholeBytes,
      arguments_value_id: wholeId,
      ...origin,
    }),
    value: "arguments",
  },
  "tool.call_completed": {
    when: "The tool has returned, or failed.",
    ids,
    data: Type.Object({
      call_id: callId,
      name: word("Name of the tool."),
      result: anyJson,
      result_bytes: wholeBytes,
      result_value_id: wholeId,
      is_error: Type.Boolean(),
      error: Type.Optional(
        Type.String({
          maxLength: limits.activityErrorChars,
          description: "What the tool threw, with its stack, if the SDK catches it. `result` is what the model gets.",
        }),
      ),
      duration_ms: Type.Optional(milliseconds),
      ...origin,
    }),
    value: "result",
  },
  "agent.handoff": {
    when: "An agent hands the conversation to another agent.",
    ids,
    data: Type.Object({ from_agent: word("Name of an agent."), to_agent: word("Name of an agent.") }),
  },
  "subagent.started": {
    when: "A subagent starts.",
    ids,
    data: Type.Object({ name: word("Name of the subagent."), parent_call_id: origin.parent_call_id }),
  },
  "subagent.completed": {
    when: "A subagent has ended.",
    ids,
    data: Type.Object({
      name: word("Name of the subagent."),
      parent_call_id: origin.parent_call_id,
      is_error: Type.Boolean(),
      duration_ms: Type.Optional(milliseconds),
    }),
  },
  "plan.updated": {
    when: "The agent changed its list of todos.",
    ids,
    data: Type.Object({
      items: Type.Array(
        Type.Object(
          { text: Type.String({ maxLength: limits.planItemChars }), status: oneOf(planStatuses) },
          { title: "PlanItem" },
        ),
        { maxItems: limits.planItems },
      ),
      ...origin,
    }),
  },
  "step.completed": {
    when: "The agent got the result of a step.",
    ids,
    data: Type.Object({
      name: word("Name of the step."),
      ordinal: Type.Integer({ minimum: 1, description: "Counts the attempt's calls with this name from 1." }),
      is_replayed: Type.Boolean({ description: "Whether an earlier attempt recorded the result." }),
      duration_ms: Type.Optional(milliseconds),
    }),
  },
} as const satisfies Readonly<Record<ActivityType, ActivityKind>>;
