// Messages: what a caller sends, and the record of the turn that answers it.

import {
  inputKeyPattern,
  inputMachine,
  lanes,
  limits,
  messageMachine,
  modelRequestLimits,
  onBusyChoices,
  type Lane,
  type OnBusy,
} from "@dari/domain";
import Type, { type Static, type TUnsafe } from "typebox";
import { anyJson, toolKinds } from "./activity.ts";
import { FailureRecord } from "./agents.ts";
import { idInput, idOutput, metadata, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";

const text = Type.String({ "x-max-bytes": limits.messageTextBytes });

const TextInput = Type.Object({ type: oneOf(["text"]), text }, noOtherFields);
const FileInput = Type.Object({ type: oneOf(["file", "image"]), file_id: idInput("file") }, noOtherFields);

type MessagePartInput = Static<typeof TextInput> | Static<typeof FileInput>;

/** Discriminated by `type`, so that errors name fields of the type in use. */
const partInput: TUnsafe<MessagePartInput> = Type.Unsafe<MessagePartInput>({
  type: "object",
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [TextInput, FileInput],
});

export const deliveries = ["sync", "async", "stream"] as const;
export type Delivery = (typeof deliveries)[number];

/** Returns the field that chooses what a message does in a busy session. `fallback` names its default. */
export function onBusyInput(fallback: string): TUnsafe<OnBusy> {
  return Type.Unsafe<OnBusy>({
    ...oneOf(onBusyChoices),
    description:
      "If the session is busy: `enqueue` waits; `reject` refuses the message (409); `interrupt` cancels the running " +
      "turn; `rollback` cancels all open messages and removes them from the conversation; `merge` takes over the " +
      "parts of messages that have not started; `steer` hands the message to the running turn, and waits like " +
      `\`enqueue\` if that turn does not take it. Default: ${fallback}.`,
  });
}

const delivery = Type.Unsafe<Delivery>({
  ...oneOf(deliveries),
  description:
    "`sync` waits until the message ends, `async` returns immediately, `stream` sends its events. Default: what " +
    "`Accept` and `Prefer` ask for, otherwise `sync`.",
});

export const messageParts = Type.Array(partInput, { minItems: 1, maxItems: limits.messagePartsMax });

/** Returns the field that chooses a message's lane. `fallback` names its default. */
export function laneInput(fallback: string): TUnsafe<Lane> {
  return Type.Unsafe<Lane>({
    ...oneOf(lanes),
    description: `An organization's interactive messages run before its background messages. Default: ${fallback}.`,
  });
}

const limit = (maximum: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum, description }));

/** Limits of the requests to models that a message's turn makes. */
export const MessageLimits = Type.Object(
  {
    requests: limit(modelRequestLimits.requestsPerMessageMax, "Maximum number of requests."),
    tokens: limit(modelRequestLimits.tokensPerMessageMax, "Maximum number of tokens, input and output together."),
    cost_usd: Type.Optional(
      Type.Number({
        minimum: modelRequestLimits.usdPerMessageMin,
        maximum: modelRequestLimits.usdPerMessageMax,
        description:
          "Maximum cost in US dollars, by the operators' price list. A request that names a model without a price is " +
          "refused.",
      }),
    ),
  },
  { ...noOtherFields, minProperties: 1, title: "MessageLimits" },
);

export const SendMessageRequest = Type.Object(
  {
    parts: messageParts,
    metadata: Type.Optional(metadata),
    delivery: Type.Optional(delivery),
    on_busy: Type.Optional(onBusyInput("the session's `on_busy`")),
    lane: Type.Optional(laneInput("interactive")),
    limits: Type.Optional(
      Type.Unsafe<Static<typeof MessageLimits>>({
        ...MessageLimits,
        description:
          "Limits of the message's requests to models, in all attempts. They can only lower those of dari.yml. A " +
          "message with limits does not steer, and merges only with messages that have the same ones.",
      }),
    ),
  },
  { ...noOtherFields, title: "SendMessageRequest" },
);
export type SendMessageRequest = Static<typeof SendMessageRequest>;
export type { MessagePartInput };

export const RetryMessageRequest = Type.Object(
  {
    fork: Type.Optional(
      Type.Boolean({ description: "Retry in a fork of the session from before the message (default false)." }),
    ),
    version_id: Type.Optional(
      Type.String({
        ...idInput("version"),
        description: "Version that the fork runs on (default: the session's). Requires `fork`.",
      }),
    ),
    // Not the session's own `on_busy`: a retry must not disturb other messages unless the caller asks for it.
    on_busy: Type.Optional(onBusyInput("`enqueue`")),
    lane: Type.Optional(laneInput("the failed message's")),
  },
  { ...noOtherFields, title: "RetryMessageRequest" },
);
export type RetryMessageRequest = Static<typeof RetryMessageRequest>;

const inputKey = Type.String({
  pattern: inputKeyPattern,
  maxLength: limits.inputKeyChars,
  "x-expected": "a key: letters, digits and . _ : -, of which the first is a letter or a digit",
});

export const AnswerInputRequest = Type.Object(
  {
    key: inputKey,
    value: Type.Unsafe<unknown>({
      description: "Any JSON value that matches the `schema` of the input.",
      "x-json": {
        bytes: limits.inputAnswerBytes,
        values: limits.inputAnswerValues,
        depth: limits.agentJsonDepth,
      },
    }),
  },
  { ...noOtherFields, title: "AnswerInputRequest" },
);
export type AnswerInputRequest = Static<typeof AnswerInputRequest>;

const MessageNotes = Type.Array(Type.String(), {
  description:
    "Notes on an answer without text and without changed files. The first note says so; the others name connections " +
    `that were refused or failed (at most ${limits.outputNotesConnections}). Absent for every other answer.`,
  examples: [["the agent answered without text and changed no file", "api.example.com:443 failed: no address found"]],
});

const TextPart = Type.Object({ type: oneOf(["text"]), text: Type.String() });

/** A file part with the file's place in the workspace. */
const FilePart = Type.Object({
  type: oneOf(["file", "image"]),
  file_id: idOutput("file"),
  filename: Type.Optional(Type.String()),
  path: Type.Optional(Type.String({ examples: ["/input/report.pdf"] })),
});

export const MessagePart = Type.Union([TextPart, FilePart], { title: "MessagePart" });
export type MessagePart = Static<typeof MessagePart>;

export const OutputPart = Type.Union(
  [TextPart, Type.Object({ type: oneOf(["file", "image"]), path: Type.String({ examples: ["/output/chart.png"] }) })],
  { title: "OutputPart" },
);
export type OutputPart = Static<typeof OutputPart>;

const callId = Type.String({ examples: ["call_1f8b3a6e"] });
const ofSubagent = {
  agent: Type.Optional(Type.String({ description: "Name of the agent or subagent." })),
  parent_call_id: Type.Optional(Type.String({ description: "The tool call that runs the subagent." })),
};

/** Replies have it, and ToolResultPart, only if the client asks for them. */
const ToolCallPart = Type.Object(
  {
    type: oneOf(["tool_call"]),
    call_id: callId,
    name: Type.String(),
    kind: oneOf(toolKinds),
    server: Type.Optional(Type.String({ description: "Name of the MCP server." })),
    arguments: anyJson,
    arguments_bytes: Type.Optional(Type.Integer({ description: "Size of the whole arguments. Only if they are cut." })),
    ...ofSubagent,
  },
  { title: "ToolCallPart" },
);

const ToolResultPart = Type.Object(
  {
    type: oneOf(["tool_result"]),
    call_id: callId,
    name: Type.String(),
    result: anyJson,
    result_bytes: Type.Optional(Type.Integer({ description: "Size of the whole result. Only if it is cut." })),
    is_error: Type.Boolean(),
    duration_ms: Type.Optional(Type.Integer()),
    ...ofSubagent,
  },
  { title: "ToolResultPart" },
);

/** A part of an answer, or with `include=tool_calls` also what the agent did before it. */
export const IncludedPart = Type.Union([OutputPart, ToolCallPart, ToolResultPart], { title: "IncludedPart" });
export type IncludedPart = Static<typeof IncludedPart>;

export const includeQuery = Type.Optional(
  Type.Unsafe<"tool_calls">({
    ...oneOf(["tool_calls"]),
    description:
      "`tool_calls`: answers also have parts of the types `tool_call` and `tool_result`, and the texts before tool " +
      "calls, in the order in which they happened.",
  }),
);

export const toolCallsCut = Type.Optional(
  Type.Literal(true, {
    description:
      `With \`include=tool_calls\`: the parts before the answer have more than ${limits.pageBytes / 1024 ** 2} MiB, ` +
      "and the rest of them is left out.",
  }),
);

export const tokenUsage = Type.Record(Type.String(), Type.Number(), {
  description: "Model usage of the answer, as the agent's SDK or its own code reports it.",
  examples: [{ requests: 2, input_tokens: 1200, output_tokens: 80, total_tokens: 1280 }],
});

export const MessageOutput = Type.Object(
  {
    parts: Type.Array(OutputPart),
    error: Type.Optional(FailureRecord),
    usage: Type.Optional(tokenUsage),
    notes: Type.Optional(MessageNotes),
  },
  { title: "MessageOutput" },
);
export type MessageOutput = Static<typeof MessageOutput>;

/** The output of a message's record. The stored output is a MessageOutput. */
const ShownOutput = Type.Object(
  {
    ...MessageOutput.properties,
    parts: Type.Array(IncludedPart),
    tool_calls_cut: toolCallsCut,
  },
  { title: "ShownOutput" },
);

export const FileChange = Type.Object(
  {
    path: Type.String({ examples: ["/output/chart.png"] }),
    change: oneOf(["created", "modified", "deleted"]),
    size_bytes: nullable(Type.Integer()),
  },
  { title: "FileChange" },
);
export type FileChange = Static<typeof FileChange>;

export const waitingReasons = ["build", "budget", "paused", "input", "retry"] as const;
export type WaitingReason = (typeof waitingReasons)[number];

export const messageStatus = oneOf(messageMachine.states);

/** The limit that an input of the type `budget` asks to raise. */
export const BudgetInput = Type.Object(
  {
    limit: oneOf(["requests", "tokens", "cost_usd"]),
    value: Type.Number({ description: "The limit's value." }),
    used: Type.Number({ description: "What the message has used of it, or reserved, in all attempts." }),
    requested: nullable(Type.Number({ description: "The most that the refused request can use. Null: not known." })),
    needed: Type.Number({ description: "The lowest limit with which the refused request fits." }),
  },
  { title: "BudgetInput" },
);

const budgetType = Type.Optional(
  Type.Literal("budget", {
    description: "A limit of the message was reached, and the platform asks for a higher one. Absent: the agent asks.",
  }),
);

/** Fields of an input that tell why the platform asks. */
export const budgetFields = { type: budgetType, budget: Type.Optional(BudgetInput) };

/** An input that the message asked for. The answer is in the event `input.submitted`. */
export const MessageInput = Type.Object(
  {
    key: Type.String({ examples: ["approve-refund"] }),
    ...budgetFields,
    status: oneOf(inputMachine.states),
    schema: Type.Unsafe<Record<string, unknown>>({ type: "object", description: "JSON Schema of the answer." }),
    prompt: nullable(Type.String({ description: "The question, for people." })),
    requested_at: timestamp,
    expires_at: timestamp,
    ended_at: nullable(timestamp),
  },
  { title: "MessageInput" },
);
export type MessageInput = Static<typeof MessageInput>;

export const MessageRecord = Type.Object(
  {
    id: idOutput("message"),
    session_id: idOutput("session"),
    sequence_number: Type.Integer(),
    status: messageStatus,
    waiting_reason: nullable(oneOf(waitingReasons)),
    lane: oneOf(lanes),
    parts: Type.Array(MessagePart),
    metadata,
    output: nullable(ShownOutput),
    files_changed: Type.Array(FileChange),
    attempt: Type.Integer({ description: "Number of the current or last attempt. 1 while queued." }),
    max_attempts: Type.Integer({
      description:
        "Maximum number of attempts: `retries.max_attempts` of the manifest. One more once an attempt that called " +
        "the agent has lost its worker, unless `retries.on_worker_lost` is false.",
    }),
    limits: Type.Optional(
      Type.Unsafe<Static<typeof MessageLimits>>({
        ...MessageLimits,
        description:
          "Limits that the request set, or that of the message which this message retries, and those that answers " +
          "have raised.",
      }),
    ),
    created_at: timestamp,
    started_at: nullable(timestamp),
    completed_at: nullable(timestamp),
    timings: Type.Record(Type.String(), Type.Number(), { description: "Duration of each phase, in milliseconds." }),
    merged_into: Type.Optional(
      Type.String({ ...idOutput("message"), description: "The later message that this message became part of." }),
    ),
    delivered_in: Type.Optional(
      Type.String({
        ...idOutput("message"),
        description: "The earlier message whose turn has taken this message, and with whose turn it ends.",
      }),
    ),
    delivered_after: Type.Optional(
      Type.Integer({
        description: "Sequence number of the event `message.steered`: the place in the turn. With `delivered_in`.",
      }),
    ),
    retry_of: Type.Optional(
      Type.String({ ...idOutput("message"), description: "The failed message that this message retries." }),
    ),
    replay_of: Type.Optional(
      Type.String({ ...idOutput("message"), description: "The completed message that this message replays." }),
    ),
    copied_from: Type.Optional(
      Type.String({ ...idOutput("message"), description: "The message in the source session that a fork copied." }),
    ),
    inputs: Type.Optional(
      Type.Array(MessageInput, {
        description: "Inputs that the message asked for, in order. At most one waits for its answer.",
      }),
    ),
    rolled_back: Type.Optional(
      Type.Literal(true, { description: "The session was rolled back to before this message; agents do not see it." }),
    ),
  },
  { title: "Message" },
);
export type MessageRecord = Static<typeof MessageRecord>;

export const MessageFiles = Type.Object(
  { message_id: idOutput("message"), session_id: idOutput("session"), files_changed: Type.Array(FileChange) },
  { title: "MessageFiles" },
);
export type MessageFiles = Static<typeof MessageFiles>;
