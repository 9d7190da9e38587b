// An agent's webhook as the hosted service's clients know it: the organization's webhook endpoint for that agent. Keeps
// nothing of its own, and leaves an agent with several endpoints to their own calls.

import type { AgentWebhook, PutAgentWebhookRequest, WebhookEndpointCreated } from "@dari/contract";
import { inOneTransaction, type Actor, type Control } from "@dari/control/context";
import { agents, webhookEndpoints } from "@dari/db";
import { AppError, found, limits, notFound } from "@dari/domain";
import { renderEndpoint } from "../views/webhook.ts";
import { deleteWebhookEndpoint, updateWebhookEndpoint } from "./change-endpoint.ts";
import { createWebhookEndpoint } from "./create-endpoint.ts";
import { checkReceiver, publicReceivers } from "./receivers.ts";
import { rotateWebhookSecret } from "./rotate-secret.ts";

/** @throws AppError `not_found`; `conflict` when the agent has several endpoints. */
export async function getAgentWebhook(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  return render(await findEndpoint(control, actor, agentId));
}

/**
 * Creates the agent's endpoint, or changes and enables the one that it has. The secret is in the reply that creates it.
 * @throws AppError `not_found`; `invalid` for a URL that it may not have; `conflict` when the agent has several
 * endpoints, or the organization has enough.
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
    // Two calls at once would each create one.
    await webhookEndpoints.holdEndpoints(inside.db, actor.organizationId);
    const endpoint = await findEndpoint(inside, actor, agentId);
    const changed =
      endpoint === undefined
        ? await createWebhookEndpoint(inside, actor, { url, agent_id: agentId, ...chosen })
        : await updateWebhookEndpoint(inside, actor, endpoint.id, { url, status: "enabled", ...chosen });
    return render(changed);
  });
}

/** Also of an agent without one. @throws AppError as `getAgentWebhook`. */
export async function deleteAgentWebhook(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  const endpoint = await findEndpoint(control, actor, agentId);
  if (endpoint !== undefined) await deleteWebhookEndpoint(control, actor, endpoint.id);
  return render(undefined);
}

/** @throws AppError as `rotateWebhookSecret` and `getAgentWebhook`; `not_found` when no webhook is set. */
export async function rotateAgentWebhookSecret(control: Control, actor: Actor, agentId: string): Promise<AgentWebhook> {
  const endpoint = await findEndpoint(control, actor, agentId);
  if (endpoint === undefined) throw notFound("webhook");
  return render(await rotateWebhookSecret(control, actor, endpoint.id));
}

async function findEndpoint(control: Control, actor: Actor, agentId: string) {
  const { organizationId } = actor;
  found(await agents.findAgent(control.db, organizationId, agentId), "agent");
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
