// OpenAI's Responses API: `POST /v1/responses`.

import { randomBytes } from "node:crypto";
import type { ModelRoute } from "./model-server.ts";
import { joinPieces, toPieces, toolCallsOf, usageOf, type ModelRequest, type AnsweredReply } from "./reply.ts";

const id = (prefix: string): string => `${prefix}_${randomBytes(8).toString("hex")}`;

type Item = Readonly<Record<string, unknown>>;

function messageItem(itemId: string, text: string, status = "completed"): Item {
  const content = status === "completed" ? [{ type: "output_text", text, annotations: [], logprobs: [] }] : [];
  return { id: itemId, type: "message", role: "assistant", status, content };
}

function reasoningItems({ reasoning }: AnsweredReply): Item[] {
  if (reasoning === undefined) return [];
  return [{ id: id("rs"), type: "reasoning", summary: [{ type: "summary_text", text: reasoning }] }];
}

function callItems(said: AnsweredReply): Item[] {
  return toolCallsOf(said).map((call) => ({
    id: id("fc"),
    type: "function_call",
    status: "completed",
    call_id: id("call"),
    name: call.name,
    arguments: JSON.stringify(call.arguments),
  }));
}

function responseOf(
  request: ModelRequest,
  said: AnsweredReply,
  o: { id: string; output: readonly Item[]; isDone: boolean },
) {
  const { inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0 } = usageOf(said);
  const usage = {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedInputTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: inputTokens + outputTokens,
  };
  return {
    id: o.id,
    object: "response",
    created_at: 1_760_000_000,
    status: o.isDone ? "completed" : "in_progress",
    error: null,
    incomplete_details: null,
    instructions: null,
    model: request.body["model"] ?? "scripted",
    output: o.output,
    parallel_tool_calls: true,
    tool_choice: "auto",
    tools: [],
    metadata: {},
    usage: o.isDone ? usage : null,
  };
}

export const openaiResponses: ModelRoute = {
  errorBody: ({ type, message }) => ({ error: { type, message, code: type, param: null } }),

  async whole(said, request) {
    const text = await joinPieces(said.text);
    const message = text === "" ? [] : [messageItem(id("msg"), text)];
    const output = [...reasoningItems(said), ...message, ...callItems(said)];
    return responseOf(request, said, { id: id("resp"), output, isDone: true });
  },

  async *stream(said, request) {
    const responseId = id("resp");
    const output: Item[] = [];
    let number = 0;
    const event = (type: string, data: Item): readonly [string, Item] => [
      type,
      { type, sequence_number: number++, ...data },
    ];
    const state = (isDone: boolean) => ({ response: responseOf(request, said, { id: responseId, output, isDone }) });
    yield event("response.created", state(false));
    yield event("response.in_progress", state(false));
    for (const item of reasoningItems(said)) {
      const output_index = output.length;
      yield event("response.output_item.added", { output_index, item: { ...item, summary: [] } });
      const at = { output_index, item_id: item["id"], summary_index: 0 };
      const part = (text = "") => ({ part: { type: "summary_text", text } });
      yield event("response.reasoning_summary_part.added", { ...at, ...part() });
      yield event("response.reasoning_summary_text.delta", { ...at, delta: said.reasoning });
      yield event("response.reasoning_summary_text.done", { ...at, text: said.reasoning });
      yield event("response.reasoning_summary_part.done", { ...at, ...part(said.reasoning) });
      output.push(item);
      yield event("response.output_item.done", { output_index, item });
    }
    if (said.text !== undefined) {
      const at = { output_index: output.length, item_id: id("msg"), content_index: 0 };
      const part = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });
      const { output_index } = at;
      yield event("response.output_item.added", { output_index, item: messageItem(at.item_id, "", "in_progress") });
      yield event("response.content_part.added", { ...at, part: part("") });
      const pieces: string[] = [];
      for await (const delta of toPieces(said.text)) {
        pieces.push(delta);
        yield event("response.output_text.delta", { ...at, delta, logprobs: [] });
      }
      const text = pieces.join("");
      yield event("response.output_text.done", { ...at, text, logprobs: [] });
      yield event("response.content_part.done", { ...at, part: part(text) });
      output.push(messageItem(at.item_id, text));
      yield event("response.output_item.done", { output_index, item: output.at(-1) });
    }
    for (const item of callItems(said)) {
      const at = { output_index: output.length, item_id: item["id"] };
      const { output_index } = at;
      const started = { ...item, status: "in_progress", arguments: "" };
      yield event("response.output_item.added", { output_index, item: started });
      yield event("response.function_call_arguments.delta", { ...at, delta: item["arguments"] });
      yield event("response.function_call_arguments.done", { ...at, arguments: item["arguments"], name: item["name"] });
      output.push(item);
      yield event("response.output_item.done", { output_index, item });
    }
    yield event("response.completed", state(true));
  },
};
