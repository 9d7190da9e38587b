// Triggers of an agent, and the URL that events are sent to.

import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, listOf, listQuery } from "../schemas/common.ts";
import * as triggers from "../schemas/triggers.ts";

const list = "/v1/agents/{agent_id}/triggers";
const trigger = `${list}/{trigger_id}` as const;

export const triggerRoutes = {
  listTriggers: {
    method: "GET",
    path: list,
    scope: "read",
    summary: "List an agent's triggers, newest first, without their URLs and secrets.",
    query: Type.Object(listQuery),
    reply: listOf("triggers", triggers.TriggerRecord),
    status: 200,
  },
  createTrigger: {
    method: "POST",
    path: list,
    scope: "admin",
    summary: "Create a URL that turns another service's events into messages of the agent. The URL is shown once.",
    request: triggers.CreateTriggerRequest,
    reply: triggers.TriggerCreated,
    status: 201,
    idempotent: true,
  },
  getTrigger: {
    method: "GET",
    path: trigger,
    scope: "read",
    summary: "Get a trigger, without its URL and secret.",
    reply: triggers.TriggerRecord,
    status: 200,
  },
  updateTrigger: {
    method: "PATCH",
    path: trigger,
    scope: "admin",
    summary:
      "Change a trigger, or pause and resume it with `status`. Absent fields keep their values. Events that come " +
      "during a pause are answered and send no message.",
    request: triggers.UpdateTriggerRequest,
    reply: triggers.TriggerRecord,
    status: 200,
  },
  deleteTrigger: {
    method: "DELETE",
    path: trigger,
    scope: "admin",
    summary: "Delete a trigger. Its URL stops working at once; its sessions and messages stay.",
    reply: Deleted,
    status: 200,
  },
  rotateTriggerSecret: {
    method: "POST",
    path: `${trigger}/rotate-secret`,
    scope: "admin",
    summary: "Replace the secret that events are signed with. For 24 hours, the one before is accepted as well.",
    request: triggers.RotateTriggerSecretRequest,
    bodyOptional: true,
    reply: triggers.TriggerSecretRotated,
    status: 200,
    idempotent: true,
  },
  receiveTriggerEvent: {
    method: "POST",
    path: "/v1/triggers/{trigger_token}",
    scope: null,
    summary:
      "Send an event to a trigger: 202 if it sends a message, 200 if it came before or is ignored. The answer does " +
      "not wait for the agent.",
    request: triggers.TriggerEvent,
    isSigned: true,
    reply: triggers.TriggerReceipt,
    status: 202,
    alsoStatus: [200],
  },
} as const satisfies Record<string, Route>;
