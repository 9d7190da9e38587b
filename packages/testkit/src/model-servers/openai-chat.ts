// OpenAI's Chat Completions API: `POST /v1/chat/completions`.

import { randomBytes } from "node:crypto";
import type { ModelRoute } from "./model-server.ts";
import { joinPieces, toPieces, toolCallsOf, usageOf, type ModelRequest, type AnsweredReply } from "./reply.ts";

const id = (prefix: string): string => `${prefix}${randomBytes(8).toString("hex")}`;

function usage(said: AnsweredReply) {
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = usageOf(said);
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

function calls(said: AnsweredReply) {
  return toolCallsOf(said).map((call, index) => ({
    index,
    id: id("call_"),
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
}

const finishReason = (said: AnsweredReply): string => (toolCallsOf(said).length > 0 ? "tool_calls" : "stop");

const head = (request: ModelRequest, object: string) => ({
  id: id("chatcmpl-"),
  object,
  created: 1_760_000_000,
  model: request.body["model"] ?? "scripted",
});

export const openaiChat: ModelRoute = {
  errorBody: ({ type, message }) => ({ error: { type, message, code: type, param: null } }),

  async whole(said, request) {
    const text = await joinPieces(said.text);
    const toolCalls = calls(said).map(({ index: _index, ...call }) => call);
    const message = {
      role: "assistant",
      content: text === "" ? null : text,
      refusal: null,
      ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
    };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: finishReason(said) }];
    return { ...head(request, "chat.completion"), choices, usage: usage(said) };
  },

  async *stream(said, request) {
    const start = head(request, "chat.completion.chunk");
    const chunk = (delta: object, finish: string | null = null): readonly [undefined, unknown] => [
      undefined,
      { ...start, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], usage: null },
    ];
    yield chunk({ role: "assistant", content: "" });
    for await (const content of toPieces(said.text)) yield chunk({ content });
    for (const call of calls(said)) yield chunk({ tool_calls: [call] });
    yield chunk({}, finishReason(said));
    const options = request.body["stream_options"] as { include_usage?: boolean } | undefined;
    if (options?.include_usage === true) yield [undefined, { ...start, choices: [], usage: usage(said) }];
    yield [undefined, "[DONE]"];
  },
};
