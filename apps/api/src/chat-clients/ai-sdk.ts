// A session for `useChat` of the npm package `ai`: its messages and their turns in the package's form.

import { inOneTransaction } from "@dari/control/context";
import { findMessageInOrder, getSession, sendMessage } from "@dari/control/turns";
import { invalidField, limits, newId } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import { discardInput, storedPartsOf, storeInput } from "../openai/store-input.ts";
import { refuseTokenMetadata } from "../routes/messages.ts";
import { checkStream } from "../routes/streams.ts";
import { answerQuestion, checkAnswers, findContinued, lastAnswered } from "./answer-question.ts";
import { listUiMessages } from "./history.ts";
import { messageOf } from "./ids.ts";
import { findReplaced, rollBackBefore } from "./replace-message.ts";
import { sendTurn } from "./send-turn.ts";
import { readUiAction, readUiParts, type UiAction } from "./ui-request.ts";
import { UiStream, uiStreamHeaders } from "./ui-stream.ts";

export const aiSdkHandlers: Handlers<"sendUiMessage" | "streamUiMessage" | "listUiMessages"> = {
  sendUiMessage: { prepare, planId: () => newId("message"), create, read, keyIn, identify, discard: discardInput },

  async streamUiMessage(call) {
    const { control, actor, params, response } = call;
    const { session_id: sessionId } = params;
    checkStream(call);
    await getSession(control, actor, sessionId);
    const open = await findMessageInOrder(control, actor, { sessionId, order: "asc", from: undefined, isOpen: true });
    // What waits for an answer is in the history, with its question.
    if (open === undefined || open.status === "waiting_for_input") return void response.status(204).end();
    response.set(uiStreamHeaders);
    const text = new UiStream({ messageId: open.id, version: versionOf(call) });
    await sendTurn(call, open.id, { text, promised: false });
  },

  async listUiMessages(call) {
    const { control, actor, params, query } = call;
    const { session_id: sessionId } = params;
    await getSession(control, actor, sessionId);
    const page = { sessionId, limit: Number(query["limit"] ?? limits.listLimitDefault), before: query["before"] };
    return listUiMessages(control, actor, page, versionOf(call));
  },
};

type SendCall = Call<"sendUiMessage">;

function versionOf({ query }: Pick<Call, "query">): number {
  return Number(query["version"] ?? 7);
}

/** The client's id of a message or of what it answers. A repeated request then finds the first one's turn. */
function keyIn(body: SendCall["body"]): string | undefined {
  const action = readUiAction(body);
  if (action.kind === "send") return `ai-sdk:${action.message.id}`;
  if (action.kind !== "answer") return undefined;
  return `ai-sdk:${action.messageId}:${action.answers.length}:${action.answers.at(-1)?.key}`;
}

/** Two requests are equal if they send the same. The conversation before it can have grown. */
function identify(body: SendCall["body"]): unknown {
  const action = readUiAction(body);
  if (action.kind !== "answer") return { ...action, path: undefined };
  return action.answers.map(({ key, value }) => ({ key, value }));
}

/** Stores the files in the request. Refuses what the message could not be sent with. */
async function prepare(call: SendCall): Promise<void> {
  const action = readUiAction(call.body);
  checkStream(call);
  if (action.kind === "answer") checkAnswers(action);
  if (action.kind === "send" && messageOf(action.message.id) !== undefined) {
    const expected = "expected an id of your own; to replace this message, send its id also as `messageId`";
    throw invalidField(`${action.path}.id`, expected);
  }
  if (action.kind !== "send" && action.kind !== "replace") return;
  refuseTokenMetadata(call.actor, action.message.metadata, `${action.path}.metadata`);
  await storeInput(call, readUiParts(action.message.parts, action.path));
}

async function create(call: SendCall): Promise<{ resourceId: string }> {
  const { control, actor, params, body } = call;
  const { session_id: sessionId } = params;
  const action = readUiAction(body);
  if (action.kind === "answer") {
    const resourceId = await findContinued(control, actor, { ...action, sessionId });
    await answerQuestion(control, actor, { ...action, sessionId });
    return { resourceId };
  }
  const { messageId } = await inOneTransaction(control, (inside) => send({ ...call, control: inside }, action));
  return { resourceId: messageId };
}

/** If two requests replace a message at once, one is refused. */
const onlyIfIdle = { onBusy: "reject" } as const;

async function send(
  call: SendCall,
  action: Exclude<UiAction, { readonly kind: "answer" }>,
): Promise<{ messageId: string }> {
  const { control, actor, params } = call;
  const { session_id: sessionId } = params;
  if (action.kind !== "send") await getSession(control, actor, sessionId);
  const replaced =
    action.kind === "send" ? undefined : await findReplaced(control, actor, { sessionId, ...action.named });
  if (action.kind === "regenerate") {
    if (replaced === undefined) throw invalidField("trigger", "expected 'submit-message': the session has no message");
    await rollBackBefore(control, actor, replaced);
    const parts = replaced.parts.map((part) =>
      part.type === "text" ? part : { type: part.type, file_id: part.file_id },
    );
    return sendMessage(control, actor, { sessionId, parts, metadata: replaced.metadata, ...onlyIfIdle });
  }
  if (replaced !== undefined) await rollBackBefore(control, actor, replaced);
  const { message, path } = action;
  const sent = { sessionId, messageId: call.plannedId, parts: await storedPartsOf(call) };
  const how = action.kind === "replace" ? onlyIfIdle : {};
  const { metadata = {} } = message;
  return sendMessage(control, actor, { ...sent, metadata, partsField: `${path}.parts`, ...how });
}

async function read(call: SendCall, messageId: string, { isNew }: { readonly isNew: boolean }): Promise<void> {
  const { control, actor, body, response } = call;
  const action = readUiAction(body);
  const afterInput = action.kind === "answer" ? await lastAnswered(control, actor, action) : undefined;
  response.set(uiStreamHeaders);
  const text = new UiStream({ messageId, version: versionOf(call), afterInput });
  await sendTurn(call, messageId, { text, promised: isNew });
}
