// Tool calls of a message, and the values that are too large for its events.

import { getMessageValue, getToolCall } from "@dari/control/storage";
import type { Handlers } from "../http/call.ts";
import { sendContent } from "../http/content.ts";

export const toolCallHandlers: Handlers<"getToolCall" | "getMessageValue"> = {
  async getToolCall({ control, actor, params, query }) {
    const attempt = query["attempt"] === undefined ? undefined : Number(query["attempt"]);
    return getToolCall(control, actor, { messageId: params.message_id, callId: params.call_id, attempt });
  },

  async getMessageValue({ control, actor, params, request, response }) {
    const content = await getMessageValue(control, actor, params.message_id, params.value_id);
    await sendContent(content, request, response);
  },
};
