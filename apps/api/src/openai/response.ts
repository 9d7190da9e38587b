// A message as a response of OpenAI's. Pure: everything comes from the message's and the session's records.

import type { MessageRecord, OpenAiResponse, SessionRecord } from "@dari/contract";
import type { ShownItem } from "./output-item.ts";

/** Returns the id of the response to a message: the message's own id with another prefix. */
export function responseIdOf(messageId: string): string {
  return `resp_${messageId.slice(messageId.indexOf("_") + 1)}`;
}

export function conversationIdOf(sessionId: string): string {
  return `conv_${sessionId.slice(sessionId.indexOf("_") + 1)}`;
}

/** What a response shows of its message before the turn ends. */
export type AcceptedMessage = Pick<MessageRecord, "id" | "status" | "metadata" | "created_at">;

export interface ResponseContext {
  readonly session: Pick<SessionRecord, "id" | "agent_id" | "version_id">;
  /** Undefined: not known, because the response is read later. */
  readonly background?: boolean | undefined;
  /** Null: the response continues none. */
  readonly previousResponseId: string | null;
}

/** Values of fields that the agent decides: those that clients expect if they sent none. */
const fixed = {
  incomplete_details: null,
  instructions: null,
  max_tool_calls: null,
  parallel_tool_calls: true,
  reasoning: { effort: null, summary: null },
  service_tier: "default",
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: "disabled",
};

/** `turn`: the message whose turn answers, once it has ended: the message itself, or the one that took it over. */
export function renderResponse(
  message: AcceptedMessage,
  turn: Pick<MessageRecord, "status" | "output" | "completed_at"> | undefined,
  output: readonly ShownItem[],
  { session, background, previousResponseId }: ResponseContext,
): OpenAiResponse {
  const { metadata } = message;
  const { max_output_tokens: mostTokens, user } = metadata;
  const failure = turn?.output?.error;
  const status = statusOf(turn?.status ?? message.status);
  return {
    id: responseIdOf(message.id),
    object: "response",
    status,
    created_at: secondsOf(message.created_at),
    completed_at: turn?.completed_at ? secondsOf(turn.completed_at) : null,
    model: `${session.agent_id}@${session.version_id}`,
    output: [...output],
    usage: usageOf(turn?.output?.usage),
    error: status === "failed" ? errorOf(failure) : null,
    metadata,
    conversation: { id: conversationIdOf(session.id) },
    background: background ?? null,
    previous_response_id: previousResponseId,
    max_output_tokens: typeof mostTokens === "number" ? mostTokens : null,
    user: typeof user === "string" ? user : null,
    ...fixed,
  };
}

export function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1_000);
}

function statusOf(status: MessageRecord["status"]): OpenAiResponse["status"] {
  return status === "running" || status === "waiting_for_input" ? "in_progress" : status;
}

/** OpenAI's clients know no codes of agents. */
function errorOf(failure: { readonly code: string; readonly message: string } | undefined): OpenAiResponse["error"] {
  if (failure === undefined) return { code: "server_error", message: "the turn failed" };
  return { code: "server_error", message: `${failure.code}: ${failure.message}` };
}

/** Returns the agent's usage under OpenAI's names; null if it reported none. */
function usageOf(usage: Readonly<Record<string, number>> | undefined): OpenAiResponse["usage"] {
  if (usage === undefined) return null;
  const { input_tokens: input = 0, output_tokens: output = 0 } = usage;
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage["cached_input_tokens"] ?? 0,
      cache_write_tokens: 0,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage["reasoning_tokens"] ?? 0 },
    total_tokens: usage["total_tokens"] ?? input + output,
  };
}
