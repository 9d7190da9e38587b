// OpenAI's Responses API: a response is a message and its answer.

import type { MessageRecord, OpenAiResponse } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { followMessage } from "@dari/control/outbound";
import {
  cancelMessage,
  deleteSessionOfMessage,
  findMessageInOrder,
  getMessage,
  getSession,
  waitForMessage,
} from "@dari/control/turns";
import { AppError } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import { checkStream, endOf, sendItems } from "../routes/streams.ts";
import { deleteUnstored } from "./delete-unstored.ts";
import { readInput } from "./input.ts";
import { readOutput, renderInputItem } from "./read-output.ts";
import { renderResponse, responseIdOf } from "./response.ts";
import { createResponseStream } from "./response-stream.ts";
import { checkRequest, sendRequest } from "./send.ts";
import { checkStore, discardInput, storeInput } from "./store-input.ts";

export const openAiResponseHandlers: Handlers<
  | "createOpenAiResponse"
  | "getOpenAiResponse"
  | "cancelOpenAiResponse"
  | "deleteOpenAiResponse"
  | "listOpenAiInputItems"
> = {
  createOpenAiResponse: { prepare, create, read, findsRepeated, discard: discardInput },

  async getOpenAiResponse(call) {
    const { control, actor, params, query } = call;
    if (query["stream"] === "true") return streamAgain(call);
    return showResponse(control, actor, await getMessage(control, actor, params.response_id));
  },

  async cancelOpenAiResponse({ control, actor, params }) {
    await getMessage(control, actor, params.response_id);
    await cancelMessage(control, actor, params.response_id);
    return showResponse(control, actor, await getMessage(control, actor, params.response_id));
  },

  async deleteOpenAiResponse({ control, actor, params }) {
    await deleteSessionOfMessage(control, actor, params.response_id);
    return { id: responseIdOf(params.response_id), object: "response", deleted: true };
  },

  async listOpenAiInputItems({ control, actor, params, query }) {
    const message = await getMessage(control, actor, params.response_id);
    const data = query["after"] === undefined ? [renderInputItem(message)] : [];
    const shown = data.length > 0 ? message.id : null;
    return { object: "list", data, first_id: shown, last_id: shown, has_more: false };
  },
};

type CreateCall = Call<"createOpenAiResponse">;

/** Stores the files in the request. Refuses what the message could not be sent with. */
async function prepare(call: CreateCall): Promise<void> {
  checkRequest(call.body);
  checkStore(call.body.store, call.idempotencyKey);
  if (call.body.stream === true) checkStream(call);
  await storeInput(call, readInput(call.body.input));
}

/** With `store: false`, the first request's response is deleted when its client goes away. */
function findsRepeated({ store }: CreateCall["body"]): boolean {
  return store !== false;
}

async function create(call: CreateCall): Promise<{ resourceId: string }> {
  const { messageId } = await sendRequest(call);
  return { resourceId: messageId };
}

async function read(
  call: CreateCall,
  messageId: string,
  { isNew }: { readonly isNew: boolean },
): Promise<OpenAiResponse | undefined> {
  const { control, actor, body, settings, signal } = call;
  if (body.store !== false) return answer();
  const { session_id: sessionId } = await getMessage(control, actor, messageId);
  try {
    const response = await answer();
    if (response?.completed_at !== null) return response;
    const why = "the agent waits for an input, or this process stops";
    throw new AppError("conflict", `the turn did not end: ${why}; send the request again with \`store: true\``);
  } finally {
    await deleteUnstored(call, sessionId);
  }

  async function answer(): Promise<OpenAiResponse | undefined> {
    const known = { background: body.background ?? false, previousResponseId: body.previous_response_id ?? null };
    if (body.stream === true) {
      await streamResponse(call, messageId, { ...known, promised: isNew });
      return undefined;
    }
    if (known.background) return showResponse(control, actor, await getMessage(control, actor, messageId), known);
    const waiting = { timeoutMs: settings.syncWaitMs, signal, isNew };
    const turn = await waitForMessage(control, actor, messageId, waiting);
    const message = turn.id === messageId ? turn : await getMessage(control, actor, messageId);
    return showResponse(control, actor, message, known);
  }
}

interface KnownOfResponse {
  readonly background?: boolean;
  /** Null: the response continues none. Undefined: the ledger says it. */
  readonly previousResponseId?: string | null;
}

/** Returns the response as the ledger has it now. */
async function showResponse(
  control: Control,
  actor: Actor,
  message: MessageRecord,
  { background, previousResponseId: known }: KnownOfResponse = {},
): Promise<OpenAiResponse> {
  const [session, { turn, items }, previousResponseId] = await Promise.all([
    getSession(control, actor, message.session_id),
    readOutput(control, actor, message),
    known === undefined ? findPreviousResponse(control, actor, message) : known,
  ]);
  return renderResponse(message, turn, items, { session, background, previousResponseId });
}

/** In a fork, the message before can be a copy. The response continues the copied one. */
async function findPreviousResponse(
  control: Control,
  actor: Actor,
  { session_id: sessionId, sequence_number: number }: MessageRecord,
): Promise<string | null> {
  if (number === 1) return null;
  const before = await findMessageInOrder(control, actor, { sessionId, order: "desc", from: number - 1 });
  return before === undefined ? null : responseIdOf(before.copied_from ?? before.id);
}

interface StreamOptions extends KnownOfResponse {
  readonly promised?: boolean;
  /** The sequence number of the last event that the client has. */
  readonly after?: number;
}

async function streamResponse(
  call: Pick<Call, "control" | "actor" | "signal" | "settings" | "query" | "request" | "response">,
  messageId: string,
  { background, previousResponseId: known, promised = false, after }: StreamOptions,
): Promise<void> {
  const { control, actor } = call;
  const message = await getMessage(control, actor, messageId);
  const session = await getSession(control, actor, message.session_id);
  const previousResponseId = known === undefined ? await findPreviousResponse(control, actor, message) : known;
  const context = { session, background, previousResponseId };
  const items = await followMessage(control, actor, message, {
    afterSequenceNumber: undefined,
    signal: endOf(call),
    promised,
  });
  if (items === undefined) throw new Error("a message has events from its acceptance on");
  const { render, interrupt, keptBytes } = createResponseStream(message, context, after);
  await sendItems(call, items, { render, finish: interrupt, keptBytes });
}

/** Streams a response from its first event. Texts that were streamed in pieces before come as one piece. */
function streamAgain(call: Call<"getOpenAiResponse">): Promise<void> {
  const after = call.query["starting_after"];
  return streamResponse(call, call.params.response_id, after === undefined ? {} : { after: Number(after) });
}
