// Messages: sent, awaited, read, cancelled.

import { renderList, type Delivery, type MessageRecord, type SendMessageRequest } from "@dari/contract";
import {
  cancelMessage,
  getMessage,
  invalidField,
  listMessages,
  readMessageLogs,
  sendMessage,
  waitForMessage,
} from "@dari/control";
import { AppError } from "@dari/domain";
import type { Request } from "express";
import { Reply, type Call, type Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";
import { sendText } from "../http/text.ts";

export const messageHandlers: Handlers<
  | "sendMessage"
  | "sendMessageSync"
  | "sendMessageAsync"
  | "listMessages"
  | "getMessage"
  | "cancelMessage"
  | "getMessageFiles"
  | "getMessageLogs"
> = {
  async sendMessage(call) {
    return send(call, chooseDelivery(call.body, call.request));
  },

  async sendMessageSync(call) {
    return send(call, "sync");
  },

  async sendMessageAsync(call) {
    return send(call, "async");
  },

  async listMessages({ control, actor, params, query }) {
    const { rows, next } = await listMessages(control, actor, params.session_id, readPage(query));
    return renderList("messages", rows, next);
  },

  async getMessage({ control, actor, params }) {
    return getMessage(control, actor, params.message_id);
  },

  async cancelMessage({ control, actor, params }) {
    await cancelMessage(control, actor, params.message_id);
    return settled(await getMessage(control, actor, params.message_id));
  },

  async getMessageFiles({ control, actor, params }) {
    const { id, session_id, files_changed } = await getMessage(control, actor, params.message_id);
    return { message_id: id, session_id, files_changed };
  },

  async getMessageLogs({ control, actor, params, query, response }) {
    const attempt = query["attempt"] === undefined ? undefined : Number(query["attempt"]);
    await sendText(await readMessageLogs(control, actor, { messageId: params.message_id, attempt }), response);
  },
};

async function send(
  call: Call<"sendMessage" | "sendMessageSync" | "sendMessageAsync">,
  delivery: Delivery,
): Promise<Reply> {
  const { control, actor, params, body } = call;
  // Refused before anything is queued.
  if (delivery === "stream") throw invalidField("delivery", "'stream' is not available; use 'sync' or 'async'");
  const onBusy = body.on_busy ?? "enqueue";
  if (onBusy !== "enqueue") throw invalidField("on_busy", `'${onBusy}' is not available; use 'enqueue'`);
  const { messageId } = await sendMessage(control, actor, {
    sessionId: params.session_id,
    parts: body.parts,
    metadata: body.metadata ?? {},
  });
  if (delivery === "async") return new Reply(202, await getMessage(control, actor, messageId));
  // A client that goes away ends the wait, never the turn.
  const { settings, signal } = call;
  return settled(await waitForMessage(control, actor, messageId, { timeoutMs: settings.syncWaitMs, signal }));
}

/** 200 with the last word, 202 with the record so far. */
function settled(record: MessageRecord): Reply {
  const isTerminal = ["completed", "failed", "cancelled"].includes(record.status);
  return new Reply(isTerminal ? 200 : 202, record);
}

/** First match wins: body, `Accept`, `Prefer`; a path's own suffix is decided before. */
function chooseDelivery(body: SendMessageRequest, request: Request): Delivery {
  if (body.delivery !== undefined) return body.delivery;
  if (/(^|,)\s*text\/event-stream\b/i.test(request.get("accept") ?? "")) return "stream";
  return /(^|,)\s*respond-async\b/i.test(request.get("prefer") ?? "") ? "async" : "sync";
}
