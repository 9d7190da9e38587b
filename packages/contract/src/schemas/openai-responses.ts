// OpenAI's Responses API as this platform accepts it. What it cannot do is refused by name: such a field is valid only
// with the default that unmodified clients send.

import { idPrefixes, limits } from "@dari/domain";
import Type, { type Static, type TSchema } from "typebox";
import { ErrorBody } from "../errors.ts";
import { idInput, integerText, metadata, noOtherFields, nullable, oneOf } from "./common.ts";

/** Returns the schema of a field that has no effect here: null or one of its defaults, and why nothing else. */
export function onlyDefault(defaults: readonly unknown[], because: string) {
  const words = ["null", ...defaults.map((value) => JSON.stringify(value))].join(" or ");
  return Type.Optional(Type.Unsafe({ anyOf: [{ enum: [null, ...defaults] }], "x-expected": `${words}: ${because}` }));
}

/** Returns the schema of a tag that can have only one value here. */
function onlyWord<const Word extends string>(word: Word, because: string) {
  return Type.Unsafe<Word>({ anyOf: [{ enum: [word] }], "x-expected": `'${word}': ${because}` });
}

/** Returns the schema of a response's id. It is the message's id with another prefix. */
export const responseIdInput = Type.String({
  pattern: "^resp_",
  maxLength: 64,
  "x-expected": "an id that starts with 'resp_'",
});
export const conversationIdInput = Type.String({
  pattern: "^conv_",
  maxLength: 64,
  "x-expected": "an id that starts with 'conv_'",
});
const responseIdOutput = Type.String({ examples: ["resp_01jx5m0k8c3f7q2v9t4w6y8z1a"] });

/** An agent's id or name, which `@` and a version's id may follow. */
export const modelInput = Type.String({
  minLength: 1,
  maxLength: limits.nameChars + 1 + idPrefixes.version.length + 27,
  description: "Id or name of the agent. `<agent>@<version id>` runs that version.",
});

const text = Type.String({ "x-max-bytes": limits.messageTextBytes });
const fileId = Type.Optional(Type.Unsafe<string | null>({ ...idInput("file"), type: ["string", "null"] }));
export const noUrl = "upload the file and send its id; the platform does not fetch addresses";

/** Returns the schema of a file's bytes in the request. The body's own limit bounds them. */
export function dataUrl(because: string) {
  return Type.Unsafe<string | null>({
    type: ["string", "null"],
    pattern: "^data:[^,]*;base64,[A-Za-z0-9+/]*={0,2}$",
    "x-expected": `a data URL with base64 data (${because})`,
  });
}

const InputText = Type.Object({ type: oneOf(["input_text"]), text }, noOtherFields);
const InputImage = Type.Object(
  {
    type: oneOf(["input_image"]),
    file_id: fileId,
    image_url: Type.Optional(dataUrl(noUrl)),
    detail: onlyDefault(["auto"], "the agent chooses how its model sees images"),
  },
  noOtherFields,
);
const InputFile = Type.Object(
  {
    type: oneOf(["input_file"]),
    file_id: fileId,
    file_data: Type.Optional(dataUrl("with `filename`")),
    filename: Type.Optional(Type.Unsafe<string | null>({ type: ["string", "null"], maxLength: limits.filenameBytes })),
    file_url: onlyDefault([], noUrl),
    detail: onlyDefault(["auto"], "the agent chooses how its model sees files"),
  },
  noOtherFields,
);
export type OpenAiContentPart = Static<typeof InputText> | Static<typeof InputImage> | Static<typeof InputFile>;

const contentPart = Type.Unsafe<OpenAiContentPart>({
  type: "object",
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [InputText, InputImage, InputFile],
});

/** A text, or a list of `item`. */
export function textOrList<Item>(item: TSchema) {
  return Type.Unsafe<string | readonly Item[]>({
    type: ["string", "array"],
    "x-max-bytes": limits.messageTextBytes,
    minItems: 1,
    maxItems: limits.messagePartsMax,
    items: item,
  });
}

const InputItem = Type.Object(
  {
    type: Type.Optional(onlyWord("message", "the agent runs its own tools, and the platform keeps the conversation")),
    role: onlyWord("user", "the agent has its own instructions, and the platform keeps its answers"),
    content: textOrList<OpenAiContentPart>(contentPart),
  },
  noOtherFields,
);
export type OpenAiInputItem = Static<typeof InputItem>;
const openAiInput = textOrList<OpenAiInputItem>(InputItem);

export const ownTools = "the agent has its own tools";
export const ownModel = "the agent chooses its model's settings";
export const flag = Type.Optional(Type.Unsafe<boolean | null>({ type: ["boolean", "null"] }));

/** Fields of requests that the agent, not the caller, decides. */
const decidedByTheAgent = {
  max_tool_calls: onlyDefault([], ownTools),
  parallel_tool_calls: onlyDefault([true], ownTools),
  reasoning: onlyDefault([{}], ownModel),
  service_tier: onlyDefault(["auto", "default"], "there is one"),
  temperature: onlyDefault([1], ownModel),
  text: onlyDefault([{}, { format: { type: "text" } }], "the agent chooses the form of its answer"),
  tool_choice: onlyDefault(["auto"], ownTools),
  tools: onlyDefault([[]], ownTools),
  top_logprobs: onlyDefault([0], ownModel),
  top_p: onlyDefault([1], ownModel),
  truncation: onlyDefault(["disabled"], ownModel),
};

export const CreateOpenAiResponseRequest = Type.Object(
  {
    model: Type.Optional(modelInput),
    input: openAiInput,
    background: flag,
    metadata: Type.Optional(Type.Unsafe<Static<typeof metadata> | null>({ ...metadata, type: ["object", "null"] })),
    max_output_tokens: Type.Optional(
      Type.Unsafe<number | null>({
        type: ["integer", "null"],
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: "A wish that the agent gets as `metadata.max_output_tokens`. The platform does not enforce it.",
      }),
    ),
    store: Type.Optional(
      Type.Unsafe<boolean | null>({
        type: ["boolean", "null"],
        description: "False: the session is deleted when the answer is sent, or when the client disconnects.",
      }),
    ),
    stream: flag,
    stream_options: onlyDefault([{}, { include_obfuscation: false }], "events are not padded"),
    user: Type.Optional(
      Type.Unsafe<string | null>({
        type: ["string", "null"],
        maxLength: limits.metadataValueChars,
        description: "Your end user. The agent gets it as `metadata.user`.",
      }),
    ),
    conversation: Type.Optional(
      Type.Unsafe<string | { readonly id: string } | null>({
        anyOf: [conversationIdInput, Type.Object({ id: conversationIdInput }, noOtherFields), Type.Null()],
        "x-expected": "an id that starts with 'conv_', or an object with only that `id`",
        description: "The session to continue.",
      }),
    ),
    previous_response_id: Type.Optional(
      Type.Unsafe<string | null>({
        ...responseIdInput,
        type: ["string", "null"],
        description: "The response to continue after: in its session if it is the newest there, otherwise in a fork.",
      }),
    ),
    context_management: onlyDefault([], "the agent manages its context"),
    include: onlyDefault([[]], "tool calls are always included, and nothing else can be"),
    instructions: onlyDefault([], "the agent has its own instructions; write yours into `input`"),
    moderation: onlyDefault([], "there is none"),
    prompt: onlyDefault([], "the agent has its own prompt"),
    prompt_cache_key: onlyDefault([], ownModel),
    prompt_cache_options: onlyDefault([], ownModel),
    prompt_cache_retention: onlyDefault([], ownModel),
    safety_identifier: onlyDefault([], "send `user`"),
    ...decidedByTheAgent,
  },
  noOtherFields,
);
export type CreateOpenAiResponseRequest = Static<typeof CreateOpenAiResponseRequest>;

/** An item or an event whose fields depend on its `type`, as OpenAI's reference describes them. */
const tagged = Type.Unsafe<Readonly<Record<string, unknown>> & { readonly type: string }>({
  type: "object",
  required: ["type"],
  properties: { type: { type: "string" } },
});

const openAiResponseStatuses = ["queued", "in_progress", "completed", "failed", "cancelled"] as const;

export const OpenAiResponse = Type.Object({
  id: responseIdOutput,
  object: Type.Literal("response"),
  status: oneOf(openAiResponseStatuses),
  created_at: Type.Integer({ description: "Unix time, in seconds." }),
  completed_at: nullable(Type.Integer()),
  model: Type.String({ description: "Agent and version that answer: `agt_…@ver_…`." }),
  output: Type.Array(tagged, {
    description: "Items of the types `message`, `reasoning` and `mcp_call`. The agent has run each `mcp_call` itself.",
  }),
  usage: Type.Unsafe<object | null>({ type: ["object", "null"], description: "Null: the agent reported none." }),
  error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  metadata,
  conversation: Type.Object({ id: Type.String() }, { description: "The session." }),
  background: nullable(Type.Boolean()),
  previous_response_id: nullable(Type.String()),
  max_output_tokens: nullable(Type.Integer()),
  user: nullable(Type.String()),
});
export type OpenAiResponse = Static<typeof OpenAiResponse>;

export const OpenAiStreamEvent = Type.Unsafe<object>({
  type: "object",
  required: ["type", "sequence_number"],
  properties: { type: { type: "string" }, sequence_number: { type: "integer" } },
  description: "An event of OpenAI's Responses stream.",
});

export const OpenAiModel = Type.Object({
  id: Type.String({ description: "Name of the agent." }),
  object: Type.Literal("model"),
  created: Type.Integer({ description: "Unix time, in seconds." }),
  owned_by: Type.String(),
});
export type OpenAiModel = Static<typeof OpenAiModel>;
export const OpenAiModels = Type.Object({ object: Type.Literal("list"), data: Type.Array(OpenAiModel) });

export const OpenAiItems = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(tagged),
  first_id: nullable(Type.String()),
  last_id: nullable(Type.String()),
  has_more: Type.Boolean(),
});
export type OpenAiItems = Static<typeof OpenAiItems>;

export const OpenAiResponseDeleted = Type.Object({
  id: responseIdOutput,
  object: Type.Literal("response"),
  deleted: Type.Literal(true),
});

const conversationMetadata = Type.Optional(
  Type.Unsafe<Static<typeof metadata> | null>({ ...metadata, type: ["object", "null"] }),
);

export const CreateOpenAiConversationRequest = Type.Object(
  {
    model: modelInput,
    metadata: conversationMetadata,
    items: onlyDefault([[]], "send them as the input of the first response"),
  },
  noOtherFields,
);
export type CreateOpenAiConversationRequest = Static<typeof CreateOpenAiConversationRequest>;

export const UpdateOpenAiConversationRequest = Type.Object({ metadata }, noOtherFields);
export type UpdateOpenAiConversationRequest = Static<typeof UpdateOpenAiConversationRequest>;

export const OpenAiConversation = Type.Object({
  id: Type.String({ examples: ["conv_01jx5m0k8c3f7q2v9t4w6y8z1a"] }),
  object: Type.Literal("conversation"),
  created_at: Type.Integer({ description: "Unix time, in seconds." }),
  metadata,
});
export type OpenAiConversation = Static<typeof OpenAiConversation>;

export const OpenAiConversationDeleted = Type.Object({
  id: Type.String(),
  object: Type.Literal("conversation.deleted"),
  deleted: Type.Literal(true),
});

export const conversationItemsQuery = Type.Object({
  limit: Type.Optional(integerText(1, 100, "Items per page (default 20).")),
  order: Type.Optional(Type.Unsafe<"asc" | "desc">({ ...oneOf(["asc", "desc"]), description: "Default: desc." })),
  after: Type.Optional(Type.String({ maxLength: 64, description: "`last_id` of the previous page." })),
});

/** OpenAI's error object, beside the fields of every error. */
export const OpenAiErrorBody = Type.Object({
  error: Type.Object({
    message: Type.String(),
    type: Type.String({ examples: ["invalid_request_error"] }),
    param: nullable(Type.String()),
    code: Type.String(),
  }),
  ...ErrorBody.properties,
});
export type OpenAiErrorBody = Static<typeof OpenAiErrorBody>;

const only = (word: string, description: string) =>
  Type.Optional(Type.Unsafe<string>({ type: "string", enum: [word], description }));

export const retrieveQuery = Type.Object({
  stream: Type.Optional(oneOf(["true", "false"])),
  starting_after: Type.Optional(
    integerText(0, Number.MAX_SAFE_INTEGER, "With `stream`: only events after this `sequence_number`."),
  ),
  include_obfuscation: only("false", "Events are not padded."),
});

export const inputItemsQuery = Type.Object({
  limit: Type.Optional(integerText(1, 100, "Items per page. A response has one.")),
  order: Type.Optional(oneOf(["asc", "desc"])),
  after: Type.Optional(Type.String({ maxLength: 64, description: "`last_id` of the previous page." })),
});
