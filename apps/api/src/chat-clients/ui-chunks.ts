// The parts of a turn as chunks of the UI message stream of the npm package `ai`. Pure.

import { repeatedOutcomes } from "@dari/domain";
import { mediaTypeOf, shownNameOf, workspaceFileUrl } from "./ids.ts";
import type { AskedInput, TurnPart } from "./turn-parts.ts";
import { responseIdOf } from "../openai/response.ts";

/** A chunk of the stream. */
export interface UiChunk {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface UiChunkOptions {
  readonly messageId: string;
  /** The client's major version of `ai`. Clients refuse a whole stream for one chunk of a later version. */
  readonly version: number;
  /** The id of an input. Shows only what follows its answer: the client has what came before. */
  readonly afterInput?: string | undefined;
}

/** The tool whose calls are the agent's questions. The client calls it: its output is the answer. */
export const inputTool = "request_input";

/**
 * One instance has the chunks of one turn. A step is a question, or one run of the agent: from its start, or from an
 * answer, to its end or the next question. It begins with the first thing that it shows.
 */
export class UiChunks {
  readonly #messageId: string;
  readonly #version: number;
  readonly #afterInput: string | undefined;
  /** The chunks that end the texts and the reasoning which are open, by their ids. */
  readonly #open = new Map<string, UiChunk>();
  #isMuted: boolean;
  #isStarted = false;
  #hasStep = false;
  /** Whether the last step has a question. */
  #isAsking = false;
  isOver = false;

  constructor({ messageId, version, afterInput }: UiChunkOptions) {
    this.#messageId = messageId;
    this.#version = version;
    this.#afterInput = afterInput;
    this.#isMuted = afterInput !== undefined;
  }

  encode(part: TurnPart): UiChunk[] {
    const isAnswered = part.kind === "input_answered" && part.input.id === this.#afterInput;
    if (isAnswered) this.#isMuted = false;
    const chunks = this.#encode(part);
    if (this.#isMuted) return [];
    if (isLast(part)) this.isOver = true;
    if (chunks.length === 0 && !isAnswered) return [];
    return [...this.#start(), ...chunks];
  }

  /** Returns the chunk that opens the UI message, once. */
  open(): UiChunk[] {
    return this.#isMuted ? [] : this.#start();
  }

  #start(): UiChunk[] {
    if (this.#isStarted) return [];
    this.#isStarted = true;
    const messageMetadata = { message_id: this.#messageId, status: "running" };
    return [{ type: "start", messageId: responseIdOf(this.#messageId), messageMetadata }];
  }

  #encode(part: TurnPart): UiChunk[] {
    switch (part.kind) {
      case "run_started":
        return [];
      case "run_ended":
        return this.#endRun(part.outcome);
      case "text_started":
        return this.#openText("text", part.id);
      case "reasoning_started":
        return this.#openText("reasoning", part.id);
      case "text_delta":
        return this.#open.has(part.id) ? [{ type: "text-delta", id: part.id, delta: part.delta }] : [];
      case "reasoning_delta":
        return this.#open.has(part.id) ? [{ type: "reasoning-delta", id: part.id, delta: part.delta }] : [];
      case "text_ended":
      case "reasoning_ended":
        return this.#closeText(part.id);
      case "file": {
        const url = workspaceFileUrl(part.sessionId, part.path);
        return this.#show({ type: "file", url, mediaType: mediaTypeOf(part.path) });
      }
      case "data":
        return this.#show({ type: `data-dari-${part.type.replace(".", "-")}`, data: part.value });
      case "agent_event":
        return this.#show({ type: `data-${shownNameOf(part.name)}`, data: part.value });
      case "input_requested":
        return this.#ask(part.input);
      case "input_answered":
        return this.#answer(part.input, part.value);
      case "waiting":
        return [...this.#endStep(), { type: "finish", messageMetadata: { status: "waiting_for_input" } }];
      case "completed": {
        const usage = part.usage === undefined ? {} : { usage: part.usage };
        return [...this.#endMessage(), { type: "finish", messageMetadata: { status: "completed", ...usage } }];
      }
      case "failed":
        return [...this.#endStep(), ...failure(part.code, part.message)];
      case "cancelled":
        return [...this.#endMessage(), metadata({ status: "cancelled" }), { type: "abort" }];
      case "call_started":
      case "call_delta":
      case "call_requested":
      case "call_completed":
      case "call_failed":
        return this.#encodeCall(part);
    }
  }

  #encodeCall(part: Extract<TurnPart, { readonly kind: `call_${string}` }>): UiChunk[] {
    switch (part.kind) {
      case "call_started":
        return this.#show({ type: "tool-input-start", toolCallId: part.id, toolName: part.name, ...byTheAgent });
      case "call_delta":
        return [{ type: "tool-input-delta", toolCallId: part.id, inputTextDelta: part.delta }];
      case "call_requested": {
        const { id: toolCallId, name: toolName, input, callId, server } = part.call;
        const dari = { call_id: callId, ...(server === undefined ? {} : { server }) };
        const providerMetadata = { dari };
        return [{ type: "tool-input-available", toolCallId, toolName, input, ...byTheAgent, providerMetadata }];
      }
      case "call_completed":
        return [output(part.id, part.result)];
      case "call_failed":
        return [{ type: "tool-output-error", toolCallId: part.id, errorText: part.error, dynamic: true }];
    }
  }

  /**
   * A question is a call of `request_input` in a step of its own: clients send an answer by themselves only if nothing
   * else in the last step is open, and other calls of the agent may be.
   */
  #ask(input: AskedInput): UiChunk[] {
    const { id, schema, prompt, expiresAt: expires_at, call: of } = input;
    const isApproval = this.#isApproval(input);
    const asked = of === undefined ? {} : { call: { toolCallId: of.id, toolName: of.name, input: of.input } };
    const limit = input.budget === undefined ? {} : { type: "budget", budget: input.budget };
    const question = { prompt, schema, expires_at, ...asked, ...limit };
    // The client must not answer a question for approval with an output.
    const by = isApproval ? byTheAgent : { dynamic: true };
    const call = { type: "tool-input-available", toolCallId: id, toolName: inputTool, input: question, ...by };
    const approval = isApproval ? [{ type: "tool-approval-request", approvalId: id, toolCallId: id }] : [];
    // At a limit, the run is repeated. Its end comes after the question.
    const ends = input.budget === undefined ? this.#endStep() : this.#endRun("released");
    const chunks = [...ends, ...this.#show(call, ...approval)];
    this.#isAsking = true;
    return chunks;
  }

  #answer(input: AskedInput, value: unknown): UiChunk[] {
    const isRefused = this.#isApproval(input) && (value as { readonly approved: boolean }).approved === false;
    return [isRefused ? { type: "tool-output-denied", toolCallId: input.id } : output(input.id, value)];
  }

  #isApproval({ schema }: AskedInput): boolean {
    return this.#version >= 6 && isApprovalSchema(schema);
  }

  #endRun(outcome: string): UiChunk[] {
    if (outcome === "suspended" || this.#isAsking) return this.#endStep();
    if (!repeatedOutcomes.includes(outcome) || !this.#hasStep) return [];
    // Version 7 can drop what the run has shown. For the others, a part says that it no longer counts.
    const reset =
      this.#version >= 7 ? { type: "reset-step" } : { type: "data-dari-attempt-repeated", data: { outcome } };
    return [reset, ...this.#endStep()];
  }

  #show(...chunks: UiChunk[]): UiChunk[] {
    if (this.#hasStep) return chunks;
    this.#hasStep = true;
    this.#isAsking = false;
    return [{ type: "start-step" }, ...chunks];
  }

  /** A client that finds answers in the last step of a message sends them, again and again. */
  #endMessage(): UiChunk[] {
    const ends = this.#endStep();
    return this.#isAsking ? [...ends, { type: "start-step" }, { type: "finish-step" }] : ends;
  }

  #openText(what: "text" | "reasoning", id: string): UiChunk[] {
    this.#open.set(id, { type: `${what}-end`, id });
    return this.#show({ type: `${what}-start`, id });
  }

  #closeText(id: string): UiChunk[] {
    const end = this.#open.get(id);
    this.#open.delete(id);
    return end === undefined ? [] : [end];
  }

  /** Clients forget open texts at the end of a step, and then throw for more of them. */
  #endStep(): UiChunk[] {
    if (!this.#hasStep) return [];
    this.#hasStep = false;
    const ends = [...this.#open.values()];
    this.#open.clear();
    return [...ends, { type: "finish-step" }];
  }
}

/** Version 5 looks for the call by what the output says of it. */
function output(toolCallId: string, value: unknown): UiChunk {
  return { type: "tool-output-available", toolCallId, output: value, dynamic: true };
}

/** All tools are dynamic: the client does not know them. It must not call them either. */
const byTheAgent = { dynamic: true, providerExecuted: true };

/** Returns whether an answer is a decision: `approved`, and perhaps a reason. */
export function isApprovalSchema(schema: Readonly<Record<string, unknown>>): boolean {
  const { type, properties, required } = schema as {
    readonly type?: unknown;
    readonly properties?: Readonly<Record<string, { readonly type?: unknown } | undefined>>;
    readonly required?: readonly string[];
  };
  if (type !== "object" || properties?.["approved"]?.type !== "boolean" || required === undefined) return false;
  return required.includes("approved") && required.every((name) => name === "approved" || name === "reason");
}

function failure(code: string, message: string): UiChunk[] {
  return [
    metadata({ status: "failed", error: { code, message } }),
    { type: "error", errorText: `${code}: ${message}` },
  ];
}

function metadata(messageMetadata: object): UiChunk {
  return { type: "message-metadata", messageMetadata };
}

function isLast({ kind }: TurnPart): boolean {
  return kind === "waiting" || kind === "completed" || kind === "failed" || kind === "cancelled";
}
