// Replays of completed turns, and the recordings that they need.

import { renderList } from "@dari/contract";
import { compareReplay } from "@dari/control/storage";
import { getMessage, listRecordings, replayMessage } from "@dari/control/turns";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const replayHandlers: Handlers<"replayMessage" | "getReplay" | "listRecordings"> = {
  replayMessage: {
    async create({ control, actor, params, body }) {
      const { messageId } = await replayMessage(control, actor, params.message_id, body);
      return { resourceId: messageId };
    },
    read: ({ control, actor }, messageId) => getMessage(control, actor, messageId),
  },

  async getReplay({ control, actor, params }) {
    return compareReplay(control, actor, params.message_id);
  },

  async listRecordings({ control, actor, params, query }) {
    return renderList("recordings", await listRecordings(control, actor, params.agent_id, readPage(query)));
  },
};
