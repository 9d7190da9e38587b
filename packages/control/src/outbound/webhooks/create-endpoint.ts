// Creates a webhook endpoint. Its secret's plaintext is only in the reply.

import {
  defaultWebhookEventTypes,
  type CreateWebhookEndpointRequest,
  type WebhookEndpointCreated,
} from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { withAuditEntry } from "@dari/control/tenants";
import { webhookEndpoints } from "@dari/db";
import { agentIdFromWire, AppError, invalidField, limits, newId } from "@dari/domain";
import { getWebhookEndpoint } from "./get-endpoint.ts";
import { checkReceiver, publicReceivers } from "./check-receiver.ts";
import { createWebhookSecret, webhookSecretName } from "./sign-webhook.ts";

/**
 * Creates an endpoint, which gets the events that are committed after the reply.
 * @throws AppError `invalid` for a URL or an agent that is not allowed; `conflict` if the organization has its maximum
 *   of endpoints.
 */
export async function createWebhookEndpoint(
  control: Control,
  actor: Actor,
  request: CreateWebhookEndpointRequest,
): Promise<WebhookEndpointCreated> {
  const { organizationId } = actor;
  const { host } = checkReceiver(request.url, control.webhookReceivers ?? publicReceivers);
  const id = newId("webhookEndpoint");
  const secret = createWebhookSecret();
  const eventTypes = request.event_types ?? defaultWebhookEventTypes;
  const agentId = request.agent_id === undefined ? null : agentIdFromWire(request.agent_id);
  const endpoint = {
    id,
    organizationId,
    url: request.url,
    agentId,
    eventTypes,
    description: request.description ?? null,
    sealed: control.sealer.seal(secret, { organizationId, name: webhookSecretName(id) }),
  };
  await withAuditEntry(
    control,
    actor,
    async (inside) => {
      const most = limits.webhookEndpointsPerOrganization;
      const outcome = await webhookEndpoints.insertEndpointIfBelow(inside.db, endpoint, most);
      if (outcome === "no_agent") throw invalidField("agent_id", "agent not found");
      if (outcome === "too_many") {
        throw new AppError("conflict", `limit reached: ${most} webhook endpoints per organization; delete one first`);
      }
    },
    // The log gets only the host, because the URL itself can contain a secret.
    () => ({ action: "webhook.create", target: id, details: { host, agent_id: agentId, event_types: eventTypes } }),
  );
  return { ...(await getWebhookEndpoint(control, { organizationId, endpointId: id })), secret };
}
