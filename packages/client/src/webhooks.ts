// Calls about webhook endpoints and their deliveries. `current` is the key's own organization.

import type { WebhookDeliveryRecord } from "@dari/contract";
import { createDeriver } from "./derive-methods.ts";
import type { PageQuery } from "./pages.ts";
import type { CallOptions, Transport } from "./transport.ts";

export interface DeliveryQuery extends PageQuery {
  readonly status?: WebhookDeliveryRecord["status"];
}

export function webhookCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);

  return {
    ...derivedAll(
      "getAgentWebhook",
      "deleteAgentWebhook",
      "listWebhookEndpoints",
      "getWebhookEndpoint",
      "deleteWebhookEndpoint",
      "resendWebhookDelivery",
    ),

    /** Creates the agent's webhook, or changes and enables the existing one. */
    putAgentWebhook: derived("putAgentWebhook"),

    /** The old secret also signs for 24 hours. */
    rotateAgentWebhookSecret: derived("rotateAgentWebhookSecret"),

    /** The secret is in the reply's `secret`, only this once. */
    createWebhookEndpoint: derived("createWebhookEndpoint"),

    /** Absent fields are not changed. */
    updateWebhookEndpoint: derived("updateWebhookEndpoint"),

    /** The new secret is in the reply's `secret`, only this once; the old one also signs for a day. */
    rotateWebhookSecret: derived("rotateWebhookSecret"),

    /** Has a `webhook.test` event delivered. */
    testWebhookEndpoint: derived("testWebhookEndpoint"),

    listWebhookDeliveries: (
      id: string,
      organizationId = "current",
      query: DeliveryQuery = {},
      options?: CallOptions,
    ) => {
      const path = { organization_id: organizationId, webhook_endpoint_id: id };
      return call("listWebhookDeliveries", { path, query: { ...query }, options });
    },
  };
}
