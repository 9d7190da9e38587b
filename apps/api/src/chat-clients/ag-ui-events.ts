// The parts of a turn as events of the AG-UI protocol. Pure.

import { repeatedOutcomes } from "@dari/domain";
import { mediaTypeOf, shownNameOf, workspaceFileUrl } from "./ids.ts";
import type { AskedInput, TurnPart } from "./turn-parts.ts";

export interface AgUiEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface AgUiRun {
  readonly threadId: string;
  readonly runId: string;
}

/** The version of the protocol. */
const protocolVersion = "1.0";

/** Returns the event that opens a run. */
export function runStarted({ threadId, runId }: AgUiRun): AgUiEvent {
  return { type: "RUN_STARTED", threadId, runId, protocolVersion };
}

/** Returns the event that ends a run of a session without an open turn. */
export function runFinished({ threadId, runId }: AgUiRun, outcome: object, more: object = {}): AgUiEvent {
  return { type: "RUN_FINISHED", threadId, runId, outcome, ...more };
}

export interface AgUiEventOptions {
  readonly run: AgUiRun;
  readonly messageId: string;
  /** The id of an input. Shows only what follows its answer: the client has what came before. */
  readonly afterInput?: string | undefined;
}

/** One instance has the events of one turn, without the one that opens the run. */
export class AgUiEvents {
  readonly #run: AgUiRun;
  readonly #messageId: string;
  readonly #afterInput: string | undefined;
  #isMuted: boolean;
  #asked: AskedInput | undefined;
  /** Calls whose arguments may still grow. */
  readonly #open = new Set<string>();
  isOver = false;

  constructor({ run, messageId, afterInput }: AgUiEventOptions) {
    this.#run = run;
    this.#messageId = messageId;
    this.#afterInput = afterInput;
    this.#isMuted = afterInput !== undefined;
  }

  encode(part: TurnPart): AgUiEvent[] {
    if (part.kind === "input_answered" && part.input.id === this.#afterInput) this.#isMuted = false;
    const events = this.#encode(part);
    if (this.#isMuted) return [];
    if (events.some(({ type }) => type === "RUN_FINISHED" || type === "RUN_ERROR")) this.isOver = true;
    return events;
  }

  #encode(part: TurnPart): AgUiEvent[] {
    switch (part.kind) {
      case "text_started":
        return [{ type: "TEXT_MESSAGE_START", messageId: part.id, role: "assistant" }];
      case "text_delta":
        return [{ type: "TEXT_MESSAGE_CONTENT", messageId: part.id, delta: part.delta }];
      case "text_ended":
        return [{ type: "TEXT_MESSAGE_END", messageId: part.id }];
      case "reasoning_started":
        return [
          { type: "REASONING_START", messageId: part.id },
          { type: "REASONING_MESSAGE_START", messageId: part.id, role: "reasoning" },
        ];
      case "reasoning_delta":
        return [{ type: "REASONING_MESSAGE_CONTENT", messageId: part.id, delta: part.delta }];
      case "reasoning_ended":
        return [
          { type: "REASONING_MESSAGE_END", messageId: part.id },
          { type: "REASONING_END", messageId: part.id },
        ];
      case "file": {
        const value = { path: part.path, url: workspaceFileUrl(part.sessionId, part.path) };
        return [{ type: "CUSTOM", name: "dari.file", value: { ...value, mimeType: mediaTypeOf(part.path) } }];
      }
      case "data":
        return [{ type: "CUSTOM", name: `dari.${part.type}`, value: part.value }];
      case "agent_event":
        return [{ type: "CUSTOM", name: shownNameOf(part.name), value: part.value }];
      case "run_ended":
        // The protocol cannot take back what an attempt has shown.
        return repeatedOutcomes.includes(part.outcome)
          ? [{ type: "CUSTOM", name: "dari.attempt.repeated", value: { outcome: part.outcome } }]
          : [];
      case "input_requested":
        this.#asked = part.input;
        return [];
      case "waiting":
        return this.#finish({
          type: "interrupt",
          interrupts: this.#asked === undefined ? [] : [interrupt(this.#asked)],
        });
      case "completed":
        return this.#finish({ type: "success" }, usageOf(part.usage));
      case "cancelled":
        return this.#finish({ type: "cancelled" });
      case "failed":
        return [{ type: "RUN_ERROR", message: part.message, code: part.code }];
      case "call_started":
      case "call_delta":
      case "call_requested":
      case "call_completed":
      case "call_failed":
        return this.#encodeCall(part);
      case "run_started":
      case "input_answered":
        return [];
    }
  }

  #encodeCall(part: Extract<TurnPart, { readonly kind: `call_${string}` }>): AgUiEvent[] {
    switch (part.kind) {
      case "call_started":
        this.#open.add(part.id);
        return [{ type: "TOOL_CALL_START", toolCallId: part.id, toolCallName: part.name }];
      case "call_delta":
        // A run cannot continue a call that an earlier run has opened.
        return this.#open.has(part.id) ? [{ type: "TOOL_CALL_ARGS", toolCallId: part.id, delta: part.delta }] : [];
      case "call_requested":
        return this.#endCall(part.call.id);
      case "call_completed":
        return [...this.#endCall(part.id), result(part.id, textOf(part.result))];
      case "call_failed":
        return [...this.#endCall(part.id), { ...result(part.id, part.error), metadata: { is_error: true } }];
    }
  }

  #endCall(toolCallId: string): AgUiEvent[] {
    return this.#open.delete(toolCallId) ? [{ type: "TOOL_CALL_END", toolCallId }] : [];
  }

  #finish(outcome: object, more: object = {}): AgUiEvent[] {
    const ends = [...this.#open].flatMap((toolCallId) => this.#endCall(toolCallId));
    return [...ends, runFinished(this.#run, outcome, { result: { message_id: this.#messageId }, ...more })];
  }
}

function interrupt({ id, schema, prompt, expiresAt, call, budget }: AskedInput): object {
  const reason = budget === undefined ? "input" : "budget";
  return {
    id,
    reason: call === undefined ? reason : "approval",
    ...(prompt === null ? {} : { message: prompt }),
    ...(call === undefined ? {} : { toolCallId: call.id }),
    responseSchema: schema,
    expiresAt,
  };
}

function result(toolCallId: string, content: string): AgUiEvent {
  return { type: "TOOL_CALL_RESULT", messageId: `${toolCallId}_result`, toolCallId, content, role: "tool" };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

const usageNames: Readonly<Record<string, string>> = {
  input_tokens: "inputTokens",
  output_tokens: "outputTokens",
  total_tokens: "totalTokens",
  reasoning_tokens: "reasoningTokens",
  cached_input_tokens: "cachedInputTokens",
};

function usageOf(usage: Readonly<Record<string, number>> | undefined): object {
  if (usage === undefined) return {};
  // Clients refuse the whole event for one number of another kind.
  const named = Object.entries(usageNames).flatMap(([own, name]) => {
    const count = usage[own] ?? -1;
    return Number.isSafeInteger(count) && count >= 0 ? [[name, count]] : [];
  });
  return { usage: [Object.fromEntries(named)] };
}
