// Sends the message of a request: in a new session, in a conversation, or after a response.

import type { CreateOpenAiResponseRequest } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import {
  createSession,
  getMessage,
  getSession,
  markUnstored,
  sendAfterMessage,
  sendMessage,
} from "@dari/control/turns";
import { AppError, idPrefixes, invalidField, isId, type IdKind } from "@dari/domain";
import type { Call } from "../http/call.ts";
import { modelNotFound, resolveModel, type ChosenModel } from "./models.ts";
import { filesOf, storedPartsOf } from "./store-input.ts";

type SendCall = Call<"createOpenAiResponse">;

/** What a message continues: nothing, a session, or a message. */
interface Continued {
  readonly sessionId?: string;
  readonly messageId?: string;
}

/** @throws AppError `invalid` if fields contradict each other; `not_found` for ids that cannot exist */
export function checkRequest(body: CreateOpenAiResponseRequest): void {
  readMetadata(body);
  const { sessionId, messageId } = readContinued(body);
  if (sessionId !== undefined && messageId !== undefined) {
    throw invalidField("conversation", "expected no conversation together with previous_response_id");
  }
  if (body.store === false && body.background === true) {
    throw invalidField("store", "expected true: a background response is read later");
  }
  if (body.store === false && sessionId !== undefined) {
    throw invalidField("store", "expected true: the conversation keeps its messages");
  }
  if (body.model === undefined && sessionId === undefined && messageId === undefined) {
    throw invalidField("model", "field is required, unless the request continues a response or a conversation");
  }
}

/** Sends the message. @throws AppError as the operations do; `not_found` for the model */
export async function sendRequest(call: SendCall): Promise<{ messageId: string }> {
  const { control, actor, body, response } = call;
  const model = body.model === undefined ? undefined : await resolveModel(control, actor, body.model);
  return inOneTransaction(control, async (inside) => {
    const { messageId } = await sendInside({ ...call, control: inside }, model);
    if (body.store === false) await markUnstored(inside, actor, { messageId, fileIds: filesOf(response) });
    return { messageId };
  });
}

/** Sends the message in the transaction of the call. */
async function sendInside(call: SendCall, model: ChosenModel | undefined): Promise<{ messageId: string }> {
  const { control: inside, actor, body } = call;
  const { sessionId, messageId } = readContinued(body);
  const send = { metadata: readMetadata(body), partsField: "input" };
  if (messageId !== undefined) {
    const before = await naming("previous_response_id", "response", () => getMessage(inside, actor, messageId));
    const forks = await readFork(inside, actor, before.session_id, model);
    const after = { afterMessageId: messageId, ...forks, alwaysForks: forks.alwaysForks || body.store === false };
    return sendAfterMessage(inside, actor, { ...send, ...after, parts: await storedPartsOf(call) });
  }
  if (sessionId !== undefined) {
    return naming("conversation", "conversation", async () => {
      const { alwaysForks } = await readFork(inside, actor, sessionId, model);
      if (alwaysForks) throw invalidField("model", "expected the conversation's version, or no version");
      return sendMessage(inside, actor, { ...send, sessionId, parts: await storedPartsOf(call) });
    });
  }
  const started = await startSession(inside, actor, body.model ?? "", model);
  return sendMessage(inside, actor, { ...send, sessionId: started, parts: await storedPartsOf(call) });
}

/** Creates the session of a new conversation. @throws AppError `not_found` for the model; `conflict` */
export async function startSession(
  control: Control,
  actor: Actor,
  name: string,
  model: ChosenModel | undefined,
  metadata: Record<string, string | number | boolean> = {},
): Promise<string> {
  const { agentId, versionId } = model ?? (await resolveModel(control, actor, name));
  const pinned = versionId === undefined ? {} : { version_id: versionId };
  const { id } = await createSession(control, actor, agentId, { ...pinned, metadata }).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "not_found" ? modelNotFound(name) : error;
  });
  return id;
}

/** Returns whether the model needs a fork: it pins another version than the session's. */
async function readFork(
  control: Control,
  actor: Actor,
  sessionId: string,
  model: ChosenModel | undefined,
): Promise<{ readonly alwaysForks: boolean; readonly versionId: string | undefined }> {
  if (model === undefined) return { versionId: undefined, alwaysForks: false };
  const session = await getSession(control, actor, sessionId);
  if (model.agentId !== session.agent_id) {
    throw invalidField("model", "expected the conversation's agent, or no model");
  }
  const { versionId } = model;
  return { versionId, alwaysForks: versionId !== undefined && versionId !== session.version_id };
}

/** @throws AppError `not_found` for an id that cannot exist */
function readContinued({ conversation, previous_response_id: previous }: CreateOpenAiResponseRequest): Continued {
  const given = typeof conversation === "object" ? conversation?.id : conversation;
  return {
    ...(given === undefined ? {} : { sessionId: toOwnId("session", given, "conversation", "conversation") }),
    ...(previous === undefined || previous === null
      ? {}
      : { messageId: toOwnId("message", previous, "previous_response_id", "response") }),
  };
}

function toOwnId(kind: IdKind, shown: string, field: string, noun: string): string {
  const id = `${idPrefixes[kind]}${shown.slice(shown.indexOf("_"))}`;
  if (!isId(kind, id)) throw fieldNotFound(field, noun);
  return id;
}

/** Names the field of what is not found. */
async function naming<Found>(field: string, noun: string, find: () => Promise<Found>): Promise<Found> {
  return find().catch((error: unknown) => {
    throw error instanceof AppError && error.code === "not_found" ? fieldNotFound(field, noun) : error;
  });
}

function fieldNotFound(field: string, noun: string): AppError {
  const message = `${noun} not found`;
  return new AppError("not_found", `${field}: ${message}`, { issues: [{ path: field, message }] });
}

/** @throws AppError `invalid` if a field and the metadata have different values */
export function readMetadata(
  body: Pick<CreateOpenAiResponseRequest, "metadata" | "user" | "max_output_tokens">,
): Record<string, string | number | boolean> {
  const metadata = { ...body.metadata };
  for (const name of ["user", "max_output_tokens"] as const) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (metadata[name] !== undefined && metadata[name] !== value) {
      throw invalidField(`metadata.${name}`, `expected the value of \`${name}\`, which the agent gets under this name`);
    }
    metadata[name] = value;
  }
  return metadata;
}
