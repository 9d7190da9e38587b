// Requests of agents to models.

import { renderList } from "@dari/contract";
import { listModelRequests } from "@dari/control/turns";
import type { Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

export const modelRequestHandlers: Handlers<"listModelRequests"> = {
  async listModelRequests({ control, actor, params, query }) {
    return renderList("model_requests", await listModelRequests(control, actor, params.message_id, readPage(query)));
  },
};
