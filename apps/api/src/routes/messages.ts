// Messages: send, wait, read, cancel, send again.

import { renderList, type Delivery, type MessageRecord, type SendMessageRequest } from "@dari/contract";
import {
  answerInput,
  cancelMessage,
  getMessage,
  getSentEvent,
  includeToolCalls,
  listMessages,
  readMessageLogs,
  retryMessage,
  sendAgentMessage,
  sendMessage,
  waitForMessage,
} from "@dari/control/turns";
import { invalidField, newId } from "@dari/domain";
import type { Request, Response } from "express";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { setUnlessSent } from "../http/late-headers.ts";
import { isFlagSet, readPage } from "../http/query.ts";
import { sendText } from "../http/text.ts";
import { checkStream, streamMessageTo } from "./streams.ts";

export const messageHandlers: Handlers<
  | "sendMessage"
  | "sendMessageSync"
  | "sendMessageAsync"
  | "sendMessageStream"
  | "sendSessionEvent"
  | "sendAgentMessage"
  | "listMessages"
  | "getMessage"
  | "cancelMessage"
  | "retryMessage"
  | "answerInput"
  | "getMessageFiles"
  | "getMessageLogs"
> = {
  sendMessage: sending((call) => chooseDelivery(call.body, call.request)),
  sendMessageSync: sending(() => "sync"),
  sendMessageAsync: sending(() => "async"),
  sendMessageStream: sending(() => "stream"),

  sendSessionEvent: {
    async create({ control, actor, params, body }) {
      const { content: parts, metadata = {} } = body;
      const input = { sessionId: params.session_id, parts, metadata, partsField: "content" };
      const { messageId } = await sendMessage(control, actor, input);
      return { resourceId: messageId };
    },
    read: ({ control, actor }, messageId) => getSentEvent(control, actor, messageId),
  },

  sendAgentMessage: {
    async create({ control, actor, params, body }) {
      const { messageId } = await sendAgentMessage(control, actor, params.agent_id, body);
      return { resourceId: messageId };
    },
    read: ({ control, actor }, messageId) => getSentEvent(control, actor, messageId),
  },

  async listMessages({ control, actor, params, query }) {
    return renderList("messages", await listMessages(control, actor, params.session_id, readPage(query)));
  },

  async getMessage({ control, actor, params, query, response }) {
    const record = await getMessage(control, actor, params.message_id);
    const isWithCalls = query["include"] === "tool_calls";
    return timed(response, isWithCalls ? await includeToolCalls(control, actor, record) : record);
  },

  async cancelMessage({ control, actor, params, response }) {
    await cancelMessage(control, actor, params.message_id);
    return settled(response, await getMessage(control, actor, params.message_id));
  },

  retryMessage: {
    async create({ control, actor, params, body }) {
      const { messageId } = await retryMessage(control, actor, params.message_id, body);
      return { resourceId: messageId };
    },
    read: ({ control, actor }, messageId) => getMessage(control, actor, messageId),
  },

  answerInput: {
    async create({ control, actor, params, body }) {
      await answerInput(control, actor, { messageId: params.message_id, ...body });
      return { resourceId: params.message_id };
    },
    read: ({ control, actor }, messageId) => getMessage(control, actor, messageId),
  },

  async getMessageFiles({ control, actor, params }) {
    const { id, session_id, files_changed } = await getMessage(control, actor, params.message_id);
    return { message_id: id, session_id, files_changed };
  },

  async getMessageLogs({ control, actor, params, query, response }) {
    const attempt = query["attempt"] === undefined ? undefined : Number(query["attempt"]);
    const logs = { messageId: params.message_id, attempt, hasTimes: isFlagSet(query["timestamps"]) };
    await sendText(await readMessageLogs(control, actor, logs), response);
  },
};

type SendCall = Call<"sendMessage" | "sendMessageSync" | "sendMessageAsync" | "sendMessageStream">;

/** A replayed send waits as the first one did. */
function sending(choose: (call: SendCall) => Delivery) {
  return {
    planId: () => newId("message"),

    async create(call: SendCall) {
      const { control, actor, params, body } = call;
      if (choose(call) === "stream") checkStream(call);
      refuseTokenMetadata(actor, body.metadata);
      const { messageId } = await sendMessage(control, actor, {
        sessionId: params.session_id,
        messageId: call.plannedId,
        parts: body.parts,
        metadata: body.metadata ?? {},
        onBusy: body.on_busy,
        lane: body.lane,
        limits: body.limits,
      });
      return { resourceId: messageId };
    },

    async read(call: SendCall, messageId: string, { isNew }: { readonly isNew: boolean }) {
      const { control, actor, settings, response } = call;
      const delivery = choose(call);
      // Only a new message is guaranteed a stream. Otherwise, repeated calls could open any number of them.
      if (delivery === "stream") return streamMessageTo(call, messageId, { promised: isNew });
      if (delivery === "async") return new Reply(202, await getMessage(control, actor, messageId));
      // A client that disconnects ends the wait, not the turn.
      const options = { timeoutMs: settings.syncWaitMs, signal: call.signal, isNew };
      return settled(response, await waitForMessage(control, actor, messageId, options));
    },
  };
}

/** What agents read there comes from the organization's own programs, and from tokens that these made. */
export function refuseTokenMetadata(
  { sessionToken }: Call["actor"],
  metadata: Record<string, unknown> = {},
  field = "metadata",
): void {
  if (sessionToken === undefined || Object.keys(metadata).length === 0) return;
  throw invalidField(field, "a session token cannot set it: agents trust it");
}

/** Answers 200 with the final record, or 202 with the current one. */
function settled(response: Response, record: MessageRecord): Reply {
  const isTerminal = ["completed", "failed", "cancelled"].includes(record.status);
  return new Reply(isTerminal ? 200 : 202, timed(response, record));
}

/** Names of phases. An imported message can have any other names. */
const phaseName = /^[a-z_]{1,40}_ms$/;

/** Sends the phases of the last attempt in the `Server-Timing` header. */
function timed(response: Response, record: MessageRecord): MessageRecord {
  const phases = Object.entries(record.timings).filter(([name]) => phaseName.test(name));
  const entries = phases.map(([name, ms]) => `${name.slice(0, -"_ms".length)};dur=${ms}`);
  if (entries.length > 0) setUnlessSent(response, { "Server-Timing": entries.join(", ") });
  return record;
}

/** The first match wins: body, `Accept`, `Prefer`. A path's own suffix is handled before. */
function chooseDelivery(body: SendMessageRequest, request: Request): Delivery {
  if (body.delivery !== undefined) return body.delivery;
  if (/(^|,)\s*text\/event-stream\b/i.test(request.get("accept") ?? "")) return "stream";
  return /(^|,)\s*respond-async\b/i.test(request.get("prefer") ?? "") ? "async" : "sync";
}
