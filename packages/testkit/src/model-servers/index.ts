// Local model servers for the tests of agents: a provider's wire format on loopback, with scripted answers.

import { anthropicMessages } from "./anthropic-messages.ts";
import { startModelServer, type ModelServer } from "./model-server.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import type { ModelScript } from "./reply.ts";

export type { ModelServer } from "./model-server.ts";
export type { ModelReply, ModelRequest, ModelScript, ModelUsage, ToolCall } from "./reply.ts";

/** Speaks the Responses API and Chat Completions. For OPENAI_BASE_URL: `${url}/v1`. */
export function startOpenaiServer(script: ModelScript): Promise<ModelServer> {
  return startModelServer({ "/v1/responses": openaiResponses, "/v1/chat/completions": openaiChat }, script);
}

/** Speaks the Messages API. For ANTHROPIC_BASE_URL: `url`. */
export function startAnthropicServer(script: ModelScript): Promise<ModelServer> {
  return startModelServer({ "/v1/messages": anthropicMessages }, script);
}
