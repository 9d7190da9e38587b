// Webhook endpoints, their secrets and their deliveries.

import { renderList } from "@dari/contract";
import {
  createWebhookEndpoint,
  deleteAgentWebhook,
  deleteWebhookEndpoint,
  getAgentWebhook,
  getWebhookDelivery,
  getWebhookEndpoint,
  listWebhookDeliveries,
  listWebhookEndpoints,
  putAgentWebhook,
  resendWebhookDelivery,
  rotateAgentWebhookSecret,
  rotateWebhookSecret,
  sendWebhookTest,
  updateWebhookEndpoint,
} from "@dari/control/outbound";
import { webhookDeliveryMachine } from "@dari/domain";
import type { Call, Handlers } from "../http/call.ts";
import { readPage } from "../http/query.ts";

function placeOf({ actor, params }: Pick<Call<"getWebhookEndpoint">, "actor" | "params">) {
  return { organizationId: actor.organizationId, endpointId: params.webhook_endpoint_id };
}

export const webhookHandlers: Handlers<
  | "getAgentWebhook"
  | "putAgentWebhook"
  | "deleteAgentWebhook"
  | "rotateAgentWebhookSecret"
  | "listWebhookEndpoints"
  | "createWebhookEndpoint"
  | "getWebhookEndpoint"
  | "updateWebhookEndpoint"
  | "deleteWebhookEndpoint"
  | "rotateWebhookSecret"
  | "testWebhookEndpoint"
  | "listWebhookDeliveries"
  | "resendWebhookDelivery"
> = {
  async getAgentWebhook({ control, actor, params }) {
    return getAgentWebhook(control, actor, params.agent_id);
  },

  async putAgentWebhook({ control, actor, params, body }) {
    return putAgentWebhook(control, actor, params.agent_id, body);
  },

  async deleteAgentWebhook({ control, actor, params }) {
    return deleteAgentWebhook(control, actor, params.agent_id);
  },

  rotateAgentWebhookSecret: {
    async create({ control, actor, params }) {
      const rotated = await rotateAgentWebhookSecret(control, actor, params.agent_id);
      return { resourceId: params.agent_id, reply: rotated };
    },
    read: ({ control, actor }, agentId) => getAgentWebhook(control, actor, agentId),
  },

  async listWebhookEndpoints({ control, actor, query }) {
    return renderList("webhook_endpoints", await listWebhookEndpoints(control, actor, readPage(query)));
  },

  createWebhookEndpoint: {
    async create({ control, actor, body }) {
      const created = await createWebhookEndpoint(control, actor, body);
      return { resourceId: created.id, reply: created };
    },
    read: ({ control, actor }, endpointId) =>
      getWebhookEndpoint(control, { organizationId: actor.organizationId, endpointId }),
  },

  async getWebhookEndpoint(call) {
    return getWebhookEndpoint(call.control, placeOf(call));
  },

  async updateWebhookEndpoint({ control, actor, params, body }) {
    return updateWebhookEndpoint(control, actor, params.webhook_endpoint_id, body);
  },

  async deleteWebhookEndpoint({ control, actor, params }) {
    return deleteWebhookEndpoint(control, actor, params.webhook_endpoint_id);
  },

  rotateWebhookSecret: {
    async create({ control, actor, params }) {
      const rotated = await rotateWebhookSecret(control, actor, params.webhook_endpoint_id);
      return { resourceId: rotated.id, reply: rotated };
    },
    read: (call) => getWebhookEndpoint(call.control, placeOf(call)),
  },

  testWebhookEndpoint: {
    async create({ control, actor, params }) {
      return { resourceId: await sendWebhookTest(control, actor, params.webhook_endpoint_id) };
    },
    read: (call, deliveryId) => getWebhookDelivery(call.control, placeOf(call), deliveryId),
  },

  async listWebhookDeliveries(call) {
    const { query } = call;
    const state = webhookDeliveryMachine.states.find((one) => one === query["status"]);
    const page = { ...readPage(query), state };
    return renderList("webhook_deliveries", await listWebhookDeliveries(call.control, placeOf(call), page));
  },

  resendWebhookDelivery: {
    async create(call) {
      const deliveryId = call.params.webhook_delivery_id;
      await resendWebhookDelivery(call.control, placeOf(call), call.actor, deliveryId);
      return { resourceId: deliveryId };
    },
    read: (call, deliveryId) => getWebhookDelivery(call.control, placeOf(call), deliveryId),
  },
};
