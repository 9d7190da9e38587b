// OpenAI's Chat Completions API. A client sends the whole conversation each time: its last answer finds the session.

import type { CreateOpenAiChatCompletionRequest, MessageRecord, OpenAiChatCompletion } from "@dari/contract";
import { inOneTransaction } from "@dari/control/context";
import { followMessage } from "@dari/control/outbound";
import {
  findAnsweredConversation,
  getMessage,
  getSession,
  markUnstored,
  sendAfterMessage,
  sendMessage,
  waitForMessage,
} from "@dari/control/turns";
import { AppError, invalidField, limits } from "@dari/domain";
import type { Response } from "express";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { checkStream, endOf, sendItems } from "../routes/streams.ts";
import { digestConversation, readAsked, readWhole, splitConversation } from "./chat-input.ts";
import { createChatStream, renderCompletion, turnError, waitingText } from "./chat-stream.ts";
import { deleteUnstored } from "./delete-unstored.ts";
import { resolveModel, type ChosenModel } from "./models.ts";
import { readMetadata, startSession } from "./send.ts";
import { checkStore, discardInput, filesOf, storeInput, storedPartsOf } from "./store-input.ts";

export const openAiChatHandlers: Handlers<"createOpenAiChatCompletion"> = {
  createOpenAiChatCompletion: { prepare, create, read, findsRepeated, discard: discardInput },
};

type ChatCall = Call<"createOpenAiChatCompletion">;

/** What was found before the message is sent. */
interface Found {
  readonly model: ChosenModel;
  readonly digest: Buffer;
  /** The message that answered the conversation so far. */
  readonly answeredBy: string | undefined;
}

/** By response, because handlers get copies of the call. */
const foundBy = new WeakMap<Response, Found>();

/** Finds the session that has the conversation, and stores the files that it does not have. */
async function prepare(call: ChatCall): Promise<void> {
  const { control, actor, body, response } = call;
  const conversation = splitConversation(body.messages);
  nameUser(call);
  checkStore(body.store, call.idempotencyKey);
  const { user } = readMetadata(fieldsOf(body));
  if (body.stream === true) checkStream(call);
  const model = await resolveModel(control, actor, body.model);
  const scope = { ...model, user };
  const { before, answer, asked } = conversation;
  const { whole: digest, first } = digestConversation(body.messages, before.length, scope);
  const answeredBy =
    answer === undefined ? undefined : await findAnsweredConversation(control, actor, { digest: first, answer });
  foundBy.set(response, { model, answeredBy, digest });
  await storeInput(call, answeredBy === undefined ? readWhole(conversation) : readAsked(asked));
}

/** Open WebUI sends the person's id here, and no `user`. */
const userHeader = "X-OpenWebUI-User-Id";

/** Sets `user` to the person whom a header names, if the request names no one. @throws AppError `invalid` */
function nameUser({ body, request }: ChatCall): void {
  const user = request.get(userHeader);
  if (user === undefined || user === "" || (body.user ?? body.metadata?.["user"]) !== undefined) return;
  if (user.length > limits.metadataValueChars)
    throw invalidField(userHeader, `expected at most ${limits.metadataValueChars} characters`);
  body.user = user;
}

/** With `store: false`, the first request's session is deleted when its client goes away. */
function findsRepeated({ store }: ChatCall["body"]): boolean {
  return store !== false;
}

async function create(call: ChatCall): Promise<{ resourceId: string }> {
  const { control, actor, body, response } = call;
  const found = foundBy.get(response);
  if (found === undefined) throw new Error("a chat completion is prepared before it is created");
  const { model, digest, answeredBy } = found;
  return inOneTransaction(control, async (inside) => {
    const parts = await storedPartsOf({ ...call, control: inside });
    const isUnstored = body.store === false;
    const message = {
      parts,
      metadata: readMetadata(fieldsOf(body)),
      partsField: "messages",
      // What continues an unstored conversation would be deleted with it.
      conversationDigest: isUnstored ? undefined : digest,
    };
    const { messageId } =
      answeredBy === undefined
        ? await sendMessage(inside, actor, {
            ...message,
            sessionId: await startSession(inside, actor, body.model, model),
          })
        : await sendAfterMessage(inside, actor, { ...message, afterMessageId: answeredBy, alwaysForks: isUnstored });
    if (isUnstored) await markUnstored(inside, actor, { messageId, fileIds: filesOf(response) });
    return { resourceId: messageId };
  });
}

function fieldsOf(body: CreateOpenAiChatCompletionRequest) {
  return { ...body, max_output_tokens: body.max_completion_tokens ?? body.max_tokens ?? null };
}

async function read(
  call: ChatCall,
  messageId: string,
  { isNew }: { readonly isNew: boolean },
): Promise<OpenAiChatCompletion | Reply | void> {
  const { control, actor, body, settings, signal, response } = call;
  const message = await getMessage(control, actor, messageId);
  const session = await getSession(control, actor, message.session_id);
  const context = { messageId, session, createdAt: message.created_at };
  try {
    if (body.stream === true) {
      const options = { afterSequenceNumber: undefined, signal: endOf(call), promised: isNew };
      const items = await followMessage(control, actor, message, options);
      if (items === undefined) throw new Error("a message has events from its acceptance on");
      const includesUsage = body.stream_options?.include_usage === true;
      const { render, interrupt, keptBytes } = createChatStream(context, { includesUsage });
      return await sendItems(call, items, { render, finish: interrupt, keptBytes });
    }
    const turn = await waitForMessage(control, actor, messageId, { timeoutMs: settings.syncWaitMs, signal, isNew });
    if (turn.status === "completed" && turn.output !== null) return renderCompletion(context, turn.output);
    if (turn.status === "waiting_for_input") throw waitsForInput(turn, body.store);
    if (turn.completed_at === null) throw notAwaited(messageId, body.store);
    // A client that repeats the call would start another turn.
    response.set("x-should-retry", "false");
    return new Reply(500, { error: turnError(turn) });
  } finally {
    if (body.store === false) await deleteUnstored(call, session.id);
  }
}

/** Someone must answer at /v1: a reply of Chat Completions has no form for a question. */
function waitsForInput({ id, inputs = [] }: MessageRecord, store: boolean | null | undefined): AppError {
  if (store === false) {
    const why = "the turn did not end: the agent waits for an input";
    return new AppError("conflict", `${why}; send the request again with \`store: true\``);
  }
  const input = inputs.find(({ status }) => status === "waiting");
  const waits = input === undefined ? `message ${id} waits for an input.` : waitingText(id, input);
  const next = `Answer it at POST /v1/messages/${id}/inputs; GET /v1/messages/${id} then has the answer`;
  return new AppError("conflict", `${waits}\n${next}`);
}

/** The process stops, or the turn takes longer than a request can wait. */
function notAwaited(messageId: string, store: boolean | null | undefined): AppError {
  const next = store === false ? "is cancelled and deleted" : `continues; read /v1/messages/${messageId}`;
  return new AppError("unavailable", `this request can wait no longer for message ${messageId}, which ${next}`);
}
