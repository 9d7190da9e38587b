// Calls about webhook endpoints and their deliveries. `current` is the key's own organization.

import type {
  CreateWebhookEndpointRequest,
  PutAgentWebhookRequest,
  UpdateWebhookEndpointRequest,
  WebhookDeliveryRecord,
} from "@dari/contract";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface DeliveryQuery extends PageQuery {
  readonly status?: WebhookDeliveryRecord["status"];
}

export function webhookCalls({ call }: Transport) {
  const of = (organizationId: string) => ({ organization_id: organizationId });
  const at = (organizationId: string, id: string) => ({ ...of(organizationId), webhook_endpoint_id: id });

  return {
    getAgentWebhook: (agentId: string, options?: CallOptions) =>
      call("getAgentWebhook", { path: { agent_id: agentId }, options }),

    /** Creates the agent's webhook, or changes and enables the one that it has. */
    putAgentWebhook: (agentId: string, body: PutAgentWebhookRequest, options?: CallOptions) =>
      call("putAgentWebhook", { path: { agent_id: agentId }, body, options }),

    deleteAgentWebhook: (agentId: string, options?: CallOptions) =>
      call("deleteAgentWebhook", { path: { agent_id: agentId }, options }),

    /** The old secret signs beside the new one for 24 hours. */
    rotateAgentWebhookSecret: (agentId: string, options?: CallOptions) =>
      call("rotateAgentWebhookSecret", { path: { agent_id: agentId }, options }),

    listWebhookEndpoints: (organizationId = "current", page: PageQuery = {}, options?: CallOptions) =>
      call("listWebhookEndpoints", { path: of(organizationId), query: { ...page }, options }),

    /** The secret is in the reply's `secret`, this once. */
    createWebhookEndpoint: (body: CreateWebhookEndpointRequest, organizationId = "current", options?: CallOptions) =>
      call("createWebhookEndpoint", { path: of(organizationId), body, options }),

    getWebhookEndpoint: (id: string, organizationId = "current", options?: CallOptions) =>
      call("getWebhookEndpoint", { path: at(organizationId, id), options }),

    /** What is absent stays. */
    updateWebhookEndpoint: (
      id: string,
      body: UpdateWebhookEndpointRequest,
      organizationId = "current",
      options?: CallOptions,
    ) => call("updateWebhookEndpoint", { path: at(organizationId, id), body, options }),

    deleteWebhookEndpoint: (id: string, organizationId = "current", options?: CallOptions) =>
      call("deleteWebhookEndpoint", { path: at(organizationId, id), options }),

    /** The new secret is in the reply's `secret`, this once; the old one signs beside it for a day. */
    rotateWebhookSecret: (id: string, organizationId = "current", options?: CallOptions) =>
      call("rotateWebhookSecret", { path: at(organizationId, id), options }),

    /** Has a `webhook.test` event delivered. */
    testWebhookEndpoint: (id: string, organizationId = "current", options?: CallOptions) =>
      call("testWebhookEndpoint", { path: at(organizationId, id), options }),

    listWebhookDeliveries: (id: string, organizationId = "current", query: DeliveryQuery = {}, options?: CallOptions) =>
      call("listWebhookDeliveries", { path: at(organizationId, id), query: { ...query }, options }),

    resendWebhookDelivery: (id: string, deliveryId: string, organizationId = "current", options?: CallOptions) =>
      call("resendWebhookDelivery", {
        path: { ...at(organizationId, id), webhook_delivery_id: deliveryId },
        options,
      }),
  };
}
