// An agent's webhook in the form of the hosted service: the organization's webhook endpoint for that agent. Stores
// nothing of its own, and refuses agents with several endpoints.

import type { AgentWebhook, PutAgentWebhookRequest, WebhookEndpointCreated } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { agents, webhookEndpoints } from "@dari/db";
import { AppError, requireFound, limits, notFound } from "@dari/domain";
import { renderEndpoint } from "../views/webhook.ts";
import { deleteWebhookEndpoint, updateWebhookEndpoint } from "./change-endpoint.ts";
import { createWebhookEndpoint } from "./create-endpoint.ts";
import { checkReceiver, publicReceivers } from "./check-receiver.ts";
import { rotateWebhookSecret } from "./rotate-secret.ts";

/** @throws AppError `not_found`; `conflict` if the agent has several endpoints. */
export async function getAgentWebhook(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  return render(await findEndpoint(control, actor, agentId));
}

/**
 * Creates the agent's endpoint, or changes and enables the existing one. The reply that creates it contains the secret.
 * @throws AppError `not_found`; `invalid` for a URL that is not allowed; `conflict` if the agent has several endpoints,
 *   or the organization has its maximum.
 */
export async function putAgentWebhook(
  control: Control,
  actor: Actor,
  agentId: string,
  { webhook_url: url, event_types: eventTypes }: PutAgentWebhookRequest,
): Promise<AgentWebhook> {
  checkReceiver(url, control.webhookReceivers ?? publicReceivers, "webhook_url");
  const chosen = eventTypes === undefined ? {} : { event_types: eventTypes };
  return inOneTransaction(control, async (inside) => {
    // Without the lock, two concurrent calls would create two endpoints.
    await webhookEndpoints.holdEndpoints(inside.db, actor.organizationId);
    const endpoint = await findEndpoint(inside, actor, agentId);
    const changed =
      endpoint === undefined
        ? await createWebhookEndpoint(inside, actor, { url, agent_id: agentId, ...chosen })
        : await updateWebhookEndpoint(inside, actor, endpoint.id, { url, status: "enabled", ...chosen });
    return render(changed);
  });
}

/** Does nothing if the agent has no endpoint. @throws AppError as `getAgentWebhook`. */
export async function deleteAgentWebhook(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  const endpoint = await findEndpoint(control, actor, agentId);
  if (endpoint !== undefined) await deleteWebhookEndpoint(control, actor, endpoint.id);
  return render(undefined);
}

/** @throws AppError as `rotateWebhookSecret` and `getAgentWebhook`; `not_found` if no webhook is set. */
export async function rotateAgentWebhookSecret(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  const endpoint = await findEndpoint(control, actor, agentId);
  if (endpoint === undefined) throw notFound("webhook");
  return render(await rotateWebhookSecret(control, actor, endpoint.id));
}

async function findEndpoint(control: Control, actor: Actor, agentId: string) {
  const { organizationId } = actor;
  requireFound(await agents.findAgent(control.db, organizationId, agentId), "agent");
  const most = limits.webhookEndpointsPerOrganization;
  const rows = await webhookEndpoints.listAgentEndpoints(control.db, { organizationId, agentId }, most);
  if (rows.length > 1) {
    const ids = rows.map(({ id }) => id).join(", ");
    const where = "/v1/organizations/current/webhook-endpoints/{id}";
    throw new AppError(
      "conflict",
      `the agent has ${rows.length} webhook endpoints; change them one by one at ${where}: ${ids}`,
    );
  }
  return rows[0] === undefined ? undefined : renderEndpoint(rows[0]);
}

function render(endpoint: WebhookEndpointCreated | undefined): AgentWebhook {
  return {
    webhook_url: endpoint?.url ?? null,
    signing_enabled: endpoint !== undefined,
    event_types: endpoint?.event_types ?? [],
    signing_secret: endpoint?.secret ?? null,
    webhook_endpoint_id: endpoint?.id ?? null,
  };
}
