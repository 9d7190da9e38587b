// What OpenAI's routes accept and refuse, for tests of all routes.

import type { RouteCase } from "./route-case.ts";

const request = { model: "no-such-agent", input: "hello" };
const user = (...content: object[]) => ({ ...request, input: [{ role: "user", content }] });

const id = "01jx5m0k8c3f7q2v9t4w6y8z1a";
const both = { conversation: `conv_${id}`, previous_response_id: `resp_${id}` };

/** Each field that the platform cannot honour, with a value that clients send. */
export const refusedFields: Readonly<Record<string, unknown>> = {
  context_management: [{ type: "compaction" }],
  include: ["reasoning.encrypted_content"],
  instructions: "Be brief.",
  max_tool_calls: 3,
  moderation: { model: "m" },
  parallel_tool_calls: false,
  prompt: { id: "pmpt_1" },
  prompt_cache_key: "k",
  prompt_cache_options: {},
  prompt_cache_retention: "24h",
  reasoning: { effort: "high" },
  safety_identifier: "u",
  service_tier: "flex",
  stream_options: { include_obfuscation: true },
  temperature: 0,
  text: { format: { type: "json_object" } },
  tool_choice: "required",
  tools: [{ type: "web_search" }],
  top_logprobs: 2,
  top_p: 0.5,
  truncation: "auto",
};

const chat = { model: "no-such-agent", messages: [{ role: "user", content: "hello" }] };

const refusedChatFields: Readonly<Record<string, unknown>> = {
  audio: { voice: "alloy", format: "wav" },
  frequency_penalty: 1,
  function_call: { name: "f" },
  functions: [{ name: "f" }],
  logit_bias: { "50256": -100 },
  logprobs: true,
  modalities: ["text", "audio"],
  moderation: { model: "m" },
  n: 2,
  parallel_tool_calls: false,
  prediction: { type: "content", content: "x" },
  presence_penalty: 1,
  prompt_cache_key: "k",
  prompt_cache_options: {},
  prompt_cache_retention: "24h",
  reasoning_effort: "high",
  response_format: { type: "json_object" },
  safety_identifier: "u",
  seed: 1,
  service_tier: "flex",
  stop: ["x"],
  temperature: 0,
  tool_choice: "required",
  tools: [{ type: "function", function: { name: "f" } }],
  top_logprobs: 2,
  top_p: 0.5,
  verbosity: "low",
  web_search_options: {},
};

export const openAiCases = {
  listOpenAiModels: {},
  getOpenAiModel: {},
  createOpenAiResponse: {
    valid: request,
    invalid: [
      [{ input: "hello" }, "model"],
      [{ ...request, model: "" }, "model"],
      [{ model: "m" }, "input"],
      [{ ...request, input: [] }, "input"],
      [{ ...request, input: [{ role: "assistant", content: "hi" }] }, "input[0].role"],
      [{ ...request, input: [{ role: "system", content: "hi" }] }, "input[0].role"],
      [{ ...request, input: [{ type: "function_call_output", call_id: "c", output: "" }] }, "input[0].type"],
      [user({ type: "input_audio" }), "input[0].content[0].type"],
      [user({ type: "input_image" }), "input[0].content[0]"],
      [user({ type: "input_image", image_url: "https://example.com/a.png" }), "input[0].content[0].image_url"],
      [user({ type: "input_image", file_id: "msg_x" }), "input[0].content[0].file_id"],
      [user({ type: "input_image", file_id: "file_x", detail: "high" }), "input[0].content[0].detail"],
      [user({ type: "input_file", file_url: "https://example.com/a" }), "input[0].content[0].file_url"],
      [{ ...request, metadata: { nested: {} } }, "metadata.nested"],
      [{ ...request, user: "a", metadata: { user: "b" } }, "metadata.user"],
      [{ ...request, max_output_tokens: 0 }, "max_output_tokens"],
      [{ ...request, background: true, store: false }, "store"],
      [{ ...request, surprise: 1 }, "surprise"],
      [{ ...request, previous_response_id: "msg_1" }, "previous_response_id"],
      [{ ...request, conversation: "sess_1" }, "conversation"],
      [{ ...request, conversation: { id: "conv_1", more: 1 } }, "conversation"],
      [{ ...request, ...both }, "conversation"],
      [{ ...request, conversation: both.conversation, store: false }, "store"],
      ...Object.entries(refusedFields).map(([name, value]) => [{ ...request, [name]: value }, name] as const),
    ],
  },
  getOpenAiResponse: {},
  cancelOpenAiResponse: {},
  deleteOpenAiResponse: {},
  listOpenAiInputItems: {},
  createOpenAiChatCompletion: {
    valid: chat,
    invalid: [
      [{ messages: chat.messages }, "model"],
      [{ model: "m" }, "messages"],
      [{ ...chat, messages: [] }, "messages"],
      [{ ...chat, messages: [{ role: "tool", content: "x", tool_call_id: "c" }] }, "messages[0].role"],
      [{ ...chat, messages: [{ role: "assistant", content: "x" }] }, "messages"],
      [{ ...chat, messages: [...chat.messages, { role: "assistant", content: null }] }, "messages[1].content"],
      [{ ...chat, messages: [{ role: "user", content: [{ type: "input_audio" }] }] }, "messages[0].content[0].type"],
      [{ ...chat, max_tokens: 0 }, "max_tokens"],
      [{ ...chat, surprise: 1 }, "surprise"],
      ...Object.entries(refusedChatFields).map(([name, value]) => [{ ...chat, [name]: value }, name] as const),
    ],
  },
  createOpenAiConversation: {
    valid: { model: "no-such-agent" },
    invalid: [
      [{}, "model"],
      [{ model: "m", items: [{ role: "user", content: "hi" }] }, "items"],
      [{ model: "m", metadata: { nested: {} } }, "metadata.nested"],
      [{ model: "m", name: "x" }, "name"],
    ],
  },
  getOpenAiConversation: {},
  updateOpenAiConversation: {
    valid: { metadata: { topic: "x" } },
    invalid: [
      [{}, "metadata"],
      [{ metadata: null }, "metadata"],
      [{ metadata: {}, name: "x" }, "name"],
    ],
  },
  deleteOpenAiConversation: {},
  listOpenAiConversationItems: {},
  createOpenAiFile: {},
  listOpenAiFiles: {},
  getOpenAiFile: {},
  getOpenAiFileContent: {},
  deleteOpenAiFile: {},
} as const satisfies Readonly<Record<string, RouteCase>>;
