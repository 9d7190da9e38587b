// Answers of models after the examples in the providers' documentation, with the providers' numbers.

import type { ModelAnswer, ModelFormat } from "@dari/domain";

export interface AnswerExample {
  readonly title: string;
  readonly format: ModelFormat;
  readonly contentType: string;
  readonly body: string;
  readonly says: Partial<ModelAnswer>;
}

const json = "application/json";
const stream = "text/event-stream; charset=utf-8";
const noCounts = { input: null, cachedInput: null, cacheWrite: null, output: null, reasoning: null };
const nothing = { ...noCounts, model: null, finishReason: null, isComplete: true, unread: null };

/** Renders events whose `type` is also their name, as OpenAI's Responses and Anthropic's Messages have it. */
const named = (...events: readonly { readonly type: string; readonly [field: string]: unknown }[]): string =>
  events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
const unnamed = (...events: readonly object[]): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

const response = {
  id: "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
  object: "response",
  created_at: 1741476542,
  status: "completed",
  error: null,
  incomplete_details: null,
  model: "gpt-4.1-2025-04-14",
  output: [
    {
      type: "message",
      id: "msg_67ccd2bf17f0819081ff3bb2cf6508e60bb6a6b452d3795b",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text: 'A "unicorn" \\ named {Lumina: [', annotations: [] }],
    },
    { type: "function_call", call_id: "call_1", name: "get_weather", arguments: '{"location":"Boston, MA"}' },
  ],
  usage: {
    input_tokens: 328,
    input_tokens_details: { cached_tokens: 128 },
    output_tokens: 52,
    output_tokens_details: { reasoning_tokens: 11 },
    total_tokens: 380,
  },
  metadata: {},
};
const started = { ...response, status: "in_progress", output: [], usage: null };
const responseSays = {
  ...nothing,
  model: "gpt-4.1-2025-04-14",
  input: 328,
  cachedInput: 128,
  output: 52,
  reasoning: 11,
  finishReason: "completed",
};

const chatUsage = {
  prompt_tokens: 1117,
  completion_tokens: 46,
  total_tokens: 1163,
  prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 7, audio_tokens: 0, accepted_prediction_tokens: 0 },
};
const chatSays = { ...nothing, model: "gpt-4.1-2025-04-14", input: 1117, cachedInput: 1024, output: 46, reasoning: 7 };
const chunk = (choice: object | undefined, usage: object | null = null) => ({
  id: "chatcmpl-123",
  object: "chat.completion.chunk",
  model: "gpt-4.1-2025-04-14",
  choices: choice === undefined ? [] : [{ index: 0, logprobs: null, ...choice }],
  usage,
});

const claude = "claude-opus-4-1-20250805";
const claudeMessage = { id: "msg_014p7gG3wDgGV9EUtLvnow3U", type: "message", role: "assistant", model: claude };
const claudeStart = {
  type: "message_start",
  message: {
    ...claudeMessage,
    content: [],
    stop_reason: null,
    usage: { input_tokens: 472, output_tokens: 2, cache_read_input_tokens: 1800, cache_creation_input_tokens: 248 },
  },
} as const;
const claudeText = {
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text: "Okay\nlet's" },
} as const;
const claudeSays = {
  ...nothing,
  model: claude,
  // 472 + 1800 + 248
  input: 2520,
  cachedInput: 1800,
  cacheWrite: 248,
  output: 89,
  finishReason: "tool_use",
};

const gemini = (finishReason: string | undefined, usage: object) => ({
  candidates: [{ content: { parts: [{ text: "AI works" }], role: "model" }, finishReason, index: 0 }],
  usageMetadata: { promptTokenCount: 264, promptTokensDetails: [{ modality: "TEXT", tokenCount: 264 }], ...usage },
  modelVersion: "gemini-2.5-flash",
  responseId: "abc",
});
const geminiUsage = {
  candidatesTokenCount: 35,
  thoughtsTokenCount: 40,
  cachedContentTokenCount: 200,
  totalTokenCount: 339,
};
const geminiSays = {
  ...nothing,
  model: "gemini-2.5-flash",
  input: 264,
  cachedInput: 200,
  // 35 + 40
  output: 75,
  reasoning: 40,
  finishReason: "STOP",
};

const of = (format: ModelFormat, contentType: string, title: string, body: string, says: Partial<ModelAnswer>) => {
  return { title: `${format}: ${title}`, format, contentType, body, says };
};

export const answerExamples: readonly AnswerExample[] = [
  of("openai-responses", json, "a document", JSON.stringify(response, null, 2), responseSays),
  of(
    "openai-responses",
    stream,
    "a stream",
    named(
      { type: "response.created", response: started },
      { type: "response.output_text.delta", item_id: "msg_1", delta: "\u00e9" },
      { type: "response.output_item.done", item: { type: "message", status: "completed" } },
      { type: "response.completed", response },
    ),
    responseSays,
  ),
  of(
    "openai-responses",
    stream,
    "a stream that reaches its limit",
    named({
      type: "response.incomplete",
      response: { ...response, status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    }),
    { ...responseSays, finishReason: "max_output_tokens" },
  ),
  of("openai-responses", stream, "a cut stream", named({ type: "response.created", response: started }), {
    ...nothing,
    model: response.model,
    isComplete: false,
  }),
  of(
    "openai-responses",
    json,
    "a background response",
    JSON.stringify({ ...response, status: "queued", usage: null }),
    {
      ...nothing,
      model: response.model,
    },
  ),
  of(
    "openai-chat",
    json,
    "a document",
    JSON.stringify({
      object: "chat.completion",
      model: "gpt-4.1-2025-04-14",
      choices: [
        { index: 0, message: { role: "assistant", tool_calls: [{ id: "call_abc123" }] }, finish_reason: "tool_calls" },
      ],
      usage: chatUsage,
    }),
    { ...chatSays, finishReason: "tool_calls" },
  ),
  of(
    "openai-chat",
    stream,
    "a stream with usage",
    `: OPENROUTER PROCESSING\n\n${unnamed(
      chunk({ delta: { role: "assistant", content: "" }, finish_reason: null }),
      chunk({ delta: { content: "Hello" }, finish_reason: null }),
      chunk({ delta: {}, finish_reason: "stop" }),
      chunk(undefined, chatUsage),
    )}data: [DONE]\n\n`,
    { ...chatSays, finishReason: "stop" },
  ),
  of(
    "openai-chat",
    stream,
    "a stream without usage",
    `${unnamed(chunk({ delta: {}, finish_reason: "length" }))}data: [DONE]\n\n`,
    { ...nothing, model: "gpt-4.1-2025-04-14", finishReason: "length" },
  ),
  of(
    "openai-chat",
    json,
    "an error",
    JSON.stringify({ error: { message: "Rate limit reached", type: "requests", code: "rate_limit_exceeded" } }),
    { ...nothing, finishReason: "error" },
  ),
  of(
    "anthropic-messages",
    json,
    "a document",
    JSON.stringify({
      ...claudeMessage,
      content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: { location: "San Francisco" } }],
      stop_reason: "tool_use",
      usage: { ...claudeStart.message.usage, output_tokens: 89, output_tokens_details: { thinking_tokens: 31 } },
    }),
    { ...claudeSays, reasoning: 31 },
  ),
  of(
    "anthropic-messages",
    stream,
    "a stream",
    named(
      claudeStart,
      { type: "ping" },
      claudeText,
      { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 89 } },
      { type: "message_stop" },
    ),
    claudeSays,
  ),
  of("anthropic-messages", stream, "a cut stream", named(claudeStart, claudeText), {
    ...claudeSays,
    output: 2,
    finishReason: null,
    isComplete: false,
  }),
  of(
    "anthropic-messages",
    stream,
    "an error within a stream",
    named(claudeStart, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
    { ...claudeSays, output: 2, finishReason: "error" },
  ),
  of("gemini", json, "a document", JSON.stringify(gemini("STOP", geminiUsage), null, 2), geminiSays),
  of(
    "gemini",
    stream,
    "a stream",
    unnamed(gemini(undefined, { totalTokenCount: 264 }), gemini("STOP", geminiUsage)).replaceAll("\n", "\r\n"),
    geminiSays,
  ),
  of(
    "gemini",
    json,
    "a stream as one array",
    JSON.stringify([gemini(undefined, { totalTokenCount: 264 }), gemini("STOP", geminiUsage)], null, 2),
    geminiSays,
  ),
  of(
    "gemini",
    json,
    "a blocked request",
    JSON.stringify({
      promptFeedback: { blockReason: "PROHIBITED_CONTENT" },
      usageMetadata: { promptTokenCount: 8, toolUsePromptTokenCount: 3, totalTokenCount: 11 },
      modelVersion: "gemini-2.5-flash",
    }),
    { ...nothing, model: "gemini-2.5-flash", input: 11, finishReason: "PROHIBITED_CONTENT" },
  ),
];
