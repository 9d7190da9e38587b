// Requests of agents to models.

import Type from "typebox";
import type { Route } from "./route.ts";
import { listOf, listQuery } from "../schemas/common.ts";
import { ModelRequestRecord } from "../schemas/model-requests.ts";

export const modelRequestRoutes = {
  listModelRequests: {
    method: "GET",
    path: "/v1/messages/{message_id}/model-requests",
    scope: "read",
    summary:
      "List the requests to models that the message's attempts made with kept credentials, oldest first, with their " +
      "tokens as the answers report them.",
    query: Type.Object(listQuery),
    reply: listOf("model_requests", ModelRequestRecord),
    status: 200,
  },
} as const satisfies Record<string, Route>;
