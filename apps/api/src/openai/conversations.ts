// OpenAI's conversations: sessions, and what was said in them as one list of items.

import type { Metadata, OpenAiConversation, SessionRecord } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { deleteSession, findMessageInOrder, getMessage, getSession, replaceSessionMetadata } from "@dari/control/turns";
import { AppError, invalidField, isId, limits } from "@dari/domain";
import type { Handlers } from "../http/call.ts";
import type { ShownItem } from "./output-item.ts";
import { readOutput, renderInputItem } from "./read-output.ts";
import { conversationIdOf, secondsOf } from "./response.ts";
import { startSession } from "./send.ts";

export const openAiConversationHandlers: Handlers<
  | "createOpenAiConversation"
  | "getOpenAiConversation"
  | "updateOpenAiConversation"
  | "deleteOpenAiConversation"
  | "listOpenAiConversationItems"
> = {
  createOpenAiConversation: {
    async create({ control, actor, body }) {
      return { resourceId: await startSession(control, actor, body.model, undefined, body.metadata ?? {}) };
    },
    read: async ({ control, actor }, sessionId) => renderConversation(await getSession(control, actor, sessionId)),
  },

  async getOpenAiConversation({ control, actor, params }) {
    return renderConversation(await getSession(control, actor, params.conversation_id));
  },

  async updateOpenAiConversation({ control, actor, params, body }) {
    const change = { sessionId: params.conversation_id, metadata: body.metadata };
    return renderConversation(await replaceSessionMetadata(control, actor, change));
  },

  async deleteOpenAiConversation({ control, actor, params }) {
    const sessionId = params.conversation_id;
    await deleteSession(control, actor, { sessionId, cancel: true });
    return { id: conversationIdOf(sessionId), object: "conversation.deleted", deleted: true };
  },

  async listOpenAiConversationItems({ control, actor, params, query }) {
    await getSession(control, actor, params.conversation_id);
    const items = await listItems(control, actor, {
      sessionId: params.conversation_id,
      limit: Number(query["limit"] ?? 20),
      order: query["order"] === "asc" ? "asc" : "desc",
      after: query["after"],
    });
    const { data } = items;
    return { object: "list", ...items, first_id: data[0]?.["id"] ?? null, last_id: data.at(-1)?.["id"] ?? null };
  },
};

function renderConversation({ id, created_at, metadata }: SessionRecord): OpenAiConversation {
  const shown: Metadata = metadata;
  return { id: conversationIdOf(id), object: "conversation", created_at: secondsOf(created_at), metadata: shown };
}

interface ItemsQuery {
  readonly sessionId: string;
  readonly limit: number;
  readonly order: "asc" | "desc";
  readonly after: string | undefined;
}

/**
 * Reads one message after the other until the page is full: each has its input and what its turn has shown. The page
 * has at most `limits.pageBytes`, but at least one item.
 */
async function listItems(
  control: Control,
  actor: Actor,
  { sessionId, limit, order, after }: ItemsQuery,
): Promise<{ data: ShownItem[]; has_more: boolean }> {
  const data: ShownItem[] = [];
  let bytes = 0;
  let cursor = after;
  let from = after === undefined ? undefined : (await findMessageOf(control, actor, sessionId, after)).sequence_number;
  for (;;) {
    const message = await findMessageInOrder(control, actor, { sessionId, order, from });
    if (message === undefined) return { data, has_more: false };
    const { items } = await readOutput(control, actor, message);
    const own = [renderInputItem(message), ...items];
    if (order === "desc") own.reverse();
    const seen = cursor === undefined ? 0 : own.findIndex(({ id }) => id === cursor) + 1;
    if (cursor !== undefined && seen === 0) throw unknownCursor();
    for (const item of own.slice(seen)) {
      bytes += Buffer.byteLength(JSON.stringify(item));
      if (data.length === limit || (data.length > 0 && bytes > limits.pageBytes)) return { data, has_more: true };
      data.push(item);
    }
    cursor = undefined;
    from = message.sequence_number + (order === "asc" ? 1 : -1);
  }
}

/** Returns the message that an item belongs to: the item's id contains the message's. */
async function findMessageOf(control: Control, actor: Actor, sessionId: string, itemId: string) {
  const part = /^[a-z]+_([0-9a-z]{26})(?:\d{4,})?$/.exec(itemId)?.[1];
  const messageId = `msg_${part ?? ""}`;
  if (!isId("message", messageId)) throw unknownCursor();
  const message = await getMessage(control, actor, messageId).catch((error: unknown) => {
    throw error instanceof AppError && error.code === "not_found" ? unknownCursor() : error;
  });
  if (message.session_id !== sessionId) throw unknownCursor();
  return message;
}

function unknownCursor(): AppError {
  return invalidField("after", "expected the id of an item of this conversation");
}
