// A turn as a chat completion, and as the chunks of a streamed one. Pure. Chat Completions has no form for tool calls
// that were run already, so only texts are shown.

import type { EventRecord, MessageRecord, OpenAiChatCompletion, SessionRecord } from "@dari/contract";
import type { StreamItem } from "@dari/control/outbound";
import type { ResponseEvent } from "./output-item.ts";
import { interruption } from "./response-stream.ts";
import { responseIdOf, secondsOf } from "./response.ts";
import { TurnOutput } from "./turn-output.ts";

export interface CompletionContext {
  readonly messageId: string;
  readonly session: Pick<SessionRecord, "id" | "agent_id" | "version_id">;
  readonly createdAt: string;
}

function headOf({ messageId, session, createdAt }: CompletionContext) {
  return {
    id: `chatcmpl-${messageId.slice(messageId.indexOf("_") + 1)}`,
    created: secondsOf(createdAt),
    model: `${session.agent_id}@${session.version_id}`,
  };
}

/** Returns the completion of a turn that has completed. Its content is the answer. */
export function renderCompletion(
  context: CompletionContext,
  output: NonNullable<MessageRecord["output"]>,
): OpenAiChatCompletion {
  const content = output.parts.map((part) => (part.type === "text" ? part.text : "")).join("");
  const message = { role: "assistant", content, refusal: null } as const;
  return {
    ...headOf(context),
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
    usage: completionUsage(output.usage),
  };
}

function completionUsage(usage: Readonly<Record<string, number>> | undefined): object | null {
  if (usage === undefined) return null;
  const { input_tokens: prompt = 0, output_tokens: completion = 0 } = usage;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: usage["total_tokens"] ?? prompt + completion,
    prompt_tokens_details: { cached_tokens: usage["cached_input_tokens"] ?? 0 },
    completion_tokens_details: { reasoning_tokens: usage["reasoning_tokens"] ?? 0 },
  };
}

/** The error of a turn that has not completed. */
export function turnError(turn: Pick<MessageRecord, "status" | "output">): object {
  const { code = "turn_not_completed", message = `the turn is ${turn.status}` } = turn.output?.error ?? {};
  return { message: `${code}: ${message}`, type: "server_error", param: null, code };
}

/** Tells a person who waits for the answer what the turn waits for. */
export function waitingText(messageId: string, data: unknown): string {
  const { key, prompt } = data as { readonly key: string; readonly prompt: string | null };
  const waits = `Waiting for the input ${JSON.stringify(key)} of message ${messageId}`;
  return prompt === null ? `${waits}.` : `${waits}: ${prompt}`;
}

const lastTypes: readonly string[] = ["message.completed", "message.failed", "message.cancelled"];

/** Returns what turns a stream's items, and its end, into the text of chunks. */
export function createChatStream(context: CompletionContext, { includesUsage }: { readonly includesUsage: boolean }) {
  const output = new TurnOutput(responseIdOf(context.messageId));
  let isStarted = false;
  let isEnded = false;
  let shownItem: unknown;

  const chunk = (choices: readonly object[], fields: object = {}): string => {
    const data = { ...headOf(context), object: "chat.completion.chunk", choices, ...fields };
    return `data: ${JSON.stringify(includesUsage ? { usage: null, ...data } : data)}\n\n`;
  };
  const choice = (delta: object, finish_reason: "stop" | null = null): object => {
    return { index: 0, delta, logprobs: null, finish_reason };
  };
  const start = (): string => {
    if (isStarted) return "";
    isStarted = true;
    return chunk([choice({ role: "assistant", content: "" })]);
  };
  /** Texts before tool calls, inputs that the turn waits for, and the answer are paragraphs of one content. */
  const showText = (item: unknown, text: string): string => {
    const isNext = shownItem !== undefined && shownItem !== item;
    shownItem = item;
    return chunk([choice({ content: isNext ? `\n\n${text}` : text })]);
  };
  const show = (events: readonly ResponseEvent[]): string =>
    events
      .filter(({ type }) => type === "response.output_text.delta")
      .map((event) => showText(event["item_id"], String(event["delta"])))
      .join("");
  const takeEvent = (event: EventRecord): string => {
    // The turn can be that of another message, which this one became part of.
    const { message_id: waiting = context.messageId } = event;
    if (event.type === "input.requested") return showText(event, waitingText(waiting, event.data));
    if (!lastTypes.includes(event.type)) return show(output.take(event));
    const turn = event.data as MessageRecord;
    if ((turn.merged_into ?? turn.delivered_in) !== undefined) return "";
    isEnded = true;
    const isCompleted = turn.status === "completed" && turn.output !== null;
    const texts = show(output.end(isCompleted ? turn.output : null, context.session.id));
    if (!isCompleted) return `${texts}data: ${JSON.stringify({ error: turnError(turn) })}\n\n`;
    const usage = includesUsage ? chunk([], { usage: completionUsage(turn.output?.usage) }) : "";
    return `${texts}${chunk([choice({}, "stop")])}${usage}data: [DONE]\n\n`;
  };

  return {
    render: (item: StreamItem): string =>
      start() + (item.kind === "event" ? takeEvent(item.event) : show(output.preview(item.preview))),
    /** Returns the error of a stream that was cut before its last event; empty if it was not. */
    interrupt(): string {
      if (isEnded) return "";
      const error = interruption(`message ${context.messageId} at /v1/messages/${context.messageId}`);
      return `data: ${JSON.stringify({ error })}\n\n`;
    },
    /** Returns how many bytes it keeps of what it has shown. */
    keptBytes: () => output.keptBytes,
  };
}
