// Anthropic's Messages API: `POST /v1/messages`.

import { randomBytes } from "node:crypto";
import type { ModelRoute } from "./model-server.ts";
import { joinPieces, toPieces, toolCallsOf, usageOf, type ModelRequest, type AnsweredReply } from "./reply.ts";

const id = (prefix: string): string => `${prefix}_${randomBytes(8).toString("hex")}`;

function usage(said: AnsweredReply) {
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = usageOf(said);
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedInputTokens,
  };
}

const toolUses = (said: AnsweredReply) =>
  toolCallsOf(said).map((call) => ({ type: "tool_use", id: id("toolu"), name: call.name, input: call.arguments }));

const stopReason = (said: AnsweredReply): string => (toolCallsOf(said).length > 0 ? "tool_use" : "end_turn");

const head = (request: ModelRequest) => ({
  id: id("msg"),
  type: "message",
  role: "assistant",
  model: request.body["model"] ?? "scripted",
});

const errorBody: ModelRoute["errorBody"] = ({ type, message }) => ({ type: "error", error: { type, message } });

export const anthropicMessages: ModelRoute = {
  errorBody,

  async whole(said, request) {
    const text = await joinPieces(said.text);
    const content = [...(text === "" ? [] : [{ type: "text", text }]), ...toolUses(said)];
    return { ...head(request), content, stop_reason: stopReason(said), stop_sequence: null, usage: usage(said) };
  },

  async *stream(said, request) {
    const event = (type: string, data: object): readonly [string, unknown] => [type, { type, ...data }];
    const start = { content: [], stop_reason: null, stop_sequence: null, usage: { ...usage(said), output_tokens: 1 } };
    yield event("message_start", { message: { ...head(request), ...start } });
    let index = 0;
    if (said.reasoning !== undefined) {
      yield event("content_block_start", { index, content_block: { type: "thinking", thinking: "", signature: "" } });
      const delta = { type: "thinking_delta", thinking: said.reasoning };
      yield event("content_block_delta", { index, delta });
      yield event("content_block_delta", { index, delta: { type: "signature_delta", signature: "signed" } });
      yield event("content_block_stop", { index });
      index += 1;
    }
    if (said.text !== undefined) {
      yield event("content_block_start", { index, content_block: { type: "text", text: "" } });
      for await (const text of toPieces(said.text)) {
        yield event("content_block_delta", { index, delta: { type: "text_delta", text } });
      }
      yield event("content_block_stop", { index });
      index += 1;
    }
    for (const { input, ...call } of toolUses(said)) {
      yield event("content_block_start", { index, content_block: { ...call, input: {} } });
      const delta = { type: "input_json_delta", partial_json: JSON.stringify(input) };
      yield event("content_block_delta", { index, delta });
      yield event("content_block_stop", { index });
      index += 1;
    }
    yield event("message_delta", { delta: { stop_reason: stopReason(said), stop_sequence: null }, usage: usage(said) });
    yield event("message_stop", {});
  },
};
