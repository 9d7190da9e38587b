// Asks a person for a message's input. Protocol 2026-07-28 ends the call with the question, and the client makes the
// same call again with the answer and the state, so that no process has to remember anything.

import type { MessageRecord } from "@dari/contract";
import {
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  inputResponse,
  PROTOCOL_VERSION_META_KEY,
  type ClientCapabilities,
  type InputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { ToolError } from "./calls.ts";
import { describeMessage, waitingInputOf } from "./describe-message.ts";
import { formOf, valueOf } from "./forms.ts";
import type { ToolCall } from "./tools.ts";

/** Names the question in the client's reply. */
const question = "input";

/**
 * What the client sends back. It proves nothing: the answer is accepted only if the key of the call may answer, as with
 * the tool `answer_message`.
 */
export interface AskedState {
  readonly messageId: string;
  readonly key: string;
  readonly field: string | undefined;
}

/** Returns the question, or undefined if the message waits for nothing, or for something that no form can express. */
export function askFor(record: MessageRecord): InputRequiredResult | undefined {
  const waiting = record.status === "waiting_for_input" ? waitingInputOf(record) : undefined;
  const form = waiting === undefined ? undefined : formOf(waiting.schema);
  if (waiting === undefined || form === undefined) return undefined;
  const state: AskedState = { messageId: record.id, key: waiting.key, field: form.field };
  const params = { message: waiting.prompt ?? waiting.key, requestedSchema: form.schema as never };
  return inputRequired({
    inputRequests: { [question]: inputRequired.elicit(params) },
    requestState: JSON.stringify(state),
  });
}

/**
 * Returns whether the call's client can show forms. An empty capability means that it can. Clients of earlier protocols
 * do not say it in each call, and get what the message waits for. The library checks only calls that name a protocol.
 */
export function showsForms({ mcpReq }: ServerContext): boolean {
  const envelope = mcpReq.envelope as
    | { readonly [PROTOCOL_VERSION_META_KEY]?: string; readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities }
    | undefined;
  if (envelope?.[PROTOCOL_VERSION_META_KEY] === undefined) return false;
  const elicitation = envelope[CLIENT_CAPABILITIES_META_KEY]?.elicitation;
  return elicitation !== undefined && ("form" in elicitation || !("url" in elicitation));
}

export interface Answered {
  readonly record: MessageRecord;
  /** The person did not answer, so the question is not shown again. */
  readonly isDeclined: boolean;
  /** Why the answer was refused; the message still waits for it. Undefined if it was not. */
  readonly refusal: unknown;
}

/**
 * Returns what was asked if this call is the client's second one; undefined for a first call.
 * @throws ToolError if the client lost the state: the call would otherwise send its message a second time.
 */
export function readAsked({ mcpReq }: ServerContext): AskedState | undefined {
  const sent = mcpReq.requestState<unknown>();
  if (sent === undefined && mcpReq.inputResponses === undefined) return undefined;
  const state = readState(sent);
  if (state === undefined) throw new ToolError("requestState: expected the value of the reply with the question");
  return state;
}

/** Answers the input with what the person said. */
export async function takeAnswer(
  { calls, signal }: ToolCall,
  state: AskedState,
  { mcpReq }: ServerContext,
): Promise<Answered> {
  const { messageId, key, field } = state;
  const response = inputResponse(mcpReq.inputResponses, question);
  if (response.kind !== "elicit" || response.action !== "accept") {
    const record = await calls.getMessage(messageId, {}, { signal });
    return { record, isDeclined: response.kind === "elicit", refusal: undefined };
  }
  try {
    const body = { key, value: valueOf(response.content ?? {}, field) };
    return { record: await calls.answerInput(messageId, body, { signal }), isDeclined: false, refusal: undefined };
  } catch (error) {
    const record = await calls.getMessage(messageId, {}, { signal });
    // Otherwise somebody has answered before, or this call is a repeated one: the turn continues.
    const isWaiting = waitingInputOf(record)?.key === key;
    return { record, isDeclined: false, refusal: isWaiting ? error : undefined };
  }
}

/** Describes a message whose question the person did not answer. */
export function describeDeclined(record: MessageRecord): object {
  return { ...describeMessage(record), note: "the person was asked and did not answer" };
}

function readState(sent: unknown): AskedState | undefined {
  try {
    const { messageId, key, field } = JSON.parse(String(sent)) as Readonly<Record<string, unknown>>;
    if (typeof messageId !== "string" || typeof key !== "string") return undefined;
    return { messageId, key, field: typeof field === "string" ? field : undefined };
  } catch {
    return undefined;
  }
}
