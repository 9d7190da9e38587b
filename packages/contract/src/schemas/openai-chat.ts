// OpenAI's Chat Completions API as this platform accepts it. A client sends the whole conversation each time.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idInput, metadata, noOtherFields, nullable, oneOf } from "./common.ts";
import { dataUrl, flag, modelInput, noUrl, onlyDefault, ownModel, ownTools, textOrList } from "./openai-responses.ts";

const TextPart = Type.Object(
  { type: oneOf(["text"]), text: Type.String({ "x-max-bytes": limits.messageTextBytes }) },
  noOtherFields,
);
const ImagePart = Type.Object(
  {
    type: oneOf(["image_url"]),
    image_url: Type.Object(
      { url: dataUrl(noUrl), detail: onlyDefault(["auto"], "the agent chooses how its model sees images") },
      { ...noOtherFields, required: ["url"] },
    ),
  },
  noOtherFields,
);
const FilePart = Type.Object(
  {
    type: oneOf(["file"]),
    file: Type.Object(
      {
        file_id: Type.Optional(idInput("file")),
        file_data: Type.Optional(dataUrl("with `filename`")),
        filename: Type.Optional(Type.String({ maxLength: limits.filenameBytes })),
      },
      noOtherFields,
    ),
  },
  noOtherFields,
);
export type OpenAiChatPart = Static<typeof TextPart> | Static<typeof ImagePart> | Static<typeof FilePart>;

const chatPart = Type.Unsafe<OpenAiChatPart>({
  type: "object",
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [TextPart, ImagePart, FilePart],
});

const chatRoles = ["system", "developer", "user", "assistant"] as const;

const ChatMessage = Type.Object(
  {
    role: Type.Unsafe<(typeof chatRoles)[number]>({
      anyOf: [{ enum: chatRoles }],
      "x-expected": `one of ${chatRoles.map((role) => `'${role}'`).join(", ")}: ${ownTools}`,
    }),
    content: textOrList<OpenAiChatPart>(chatPart),
    name: onlyDefault([], "write it into the content"),
    refusal: onlyDefault([], "there is none"),
    annotations: onlyDefault([[]], "there are none"),
    audio: onlyDefault([], "there is none"),
    tool_calls: onlyDefault([[]], ownTools),
    function_call: onlyDefault([], ownTools),
  },
  noOtherFields,
);
export type OpenAiChatMessage = Static<typeof ChatMessage>;

const wishedTokens = Type.Optional(
  Type.Unsafe<number | null>({ type: ["integer", "null"], minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
);

export const CreateOpenAiChatCompletionRequest = Type.Object(
  {
    model: modelInput,
    messages: Type.Array(ChatMessage, { minItems: 1, maxItems: limits.chatMessagesMax }),
    max_completion_tokens: wishedTokens,
    max_tokens: wishedTokens,
    metadata: Type.Optional(Type.Unsafe<Static<typeof metadata> | null>({ ...metadata, type: ["object", "null"] })),
    store: flag,
    stream: flag,
    stream_options: Type.Optional(
      Type.Unsafe<{ readonly include_usage?: boolean | null } | null>({
        type: ["object", "null"],
        properties: { include_usage: { type: ["boolean", "null"] }, include_obfuscation: { enum: [false, null] } },
        additionalProperties: false,
      }),
    ),
    user: Type.Optional(Type.Unsafe<string | null>({ type: ["string", "null"], maxLength: limits.metadataValueChars })),
    audio: onlyDefault([], "the agent answers with text and files"),
    frequency_penalty: onlyDefault([0], ownModel),
    function_call: onlyDefault(["auto"], ownTools),
    functions: onlyDefault([[]], ownTools),
    logit_bias: onlyDefault([{}], ownModel),
    logprobs: onlyDefault([false], ownModel),
    modalities: onlyDefault([["text"]], "the agent answers with text and files"),
    moderation: onlyDefault([], "there is none"),
    n: onlyDefault([1], "a turn has one answer"),
    parallel_tool_calls: onlyDefault([true], ownTools),
    prediction: onlyDefault([], ownModel),
    presence_penalty: onlyDefault([0], ownModel),
    prompt_cache_key: onlyDefault([], ownModel),
    prompt_cache_options: onlyDefault([], ownModel),
    prompt_cache_retention: onlyDefault([], ownModel),
    reasoning_effort: onlyDefault([], ownModel),
    response_format: onlyDefault([{ type: "text" }], "the agent chooses the form of its answer"),
    safety_identifier: onlyDefault([], "send `user`"),
    seed: onlyDefault([], ownModel),
    service_tier: onlyDefault(["auto", "default"], "there is one"),
    stop: onlyDefault([[]], ownModel),
    temperature: onlyDefault([1], ownModel),
    tool_choice: onlyDefault(["auto", "none"], ownTools),
    tools: onlyDefault([[]], ownTools),
    top_logprobs: onlyDefault([0], ownModel),
    top_p: onlyDefault([1], ownModel),
    verbosity: onlyDefault(["medium"], ownModel),
    web_search_options: onlyDefault([], ownTools),
  },
  noOtherFields,
);
export type CreateOpenAiChatCompletionRequest = Static<typeof CreateOpenAiChatCompletionRequest>;

const completionFields = {
  id: Type.String({ examples: ["chatcmpl-01jx5m0k8c3f7q2v9t4w6y8z1a"] }),
  created: Type.Integer({ description: "Unix time, in seconds." }),
  model: Type.String({ description: "Agent and version that answer: `agt_…@ver_…`." }),
  usage: Type.Unsafe<object | null>({ type: ["object", "null"], description: "Null: the agent reported none." }),
};

export const OpenAiChatCompletion = Type.Object({
  ...completionFields,
  object: Type.Literal("chat.completion"),
  choices: Type.Array(
    Type.Object({
      index: Type.Literal(0),
      message: Type.Object({ role: Type.Literal("assistant"), content: Type.String(), refusal: Type.Null() }),
      logprobs: Type.Null(),
      finish_reason: Type.Literal("stop"),
    }),
  ),
});
export type OpenAiChatCompletion = Static<typeof OpenAiChatCompletion>;

export const OpenAiChatChunk = Type.Unsafe<object>({
  type: "object",
  properties: { object: nullable(Type.String()) },
  description: "A chunk of OpenAI's Chat Completions stream, whose last data is `[DONE]`.",
});
