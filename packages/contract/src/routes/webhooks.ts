// Webhook endpoints and their deliveries.

import { webhookDeliveryMachine } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, listOf, listQuery, oneOf } from "../schemas/common.ts";
import * as webhooks from "../schemas/webhooks.ts";

const endpoints = "/v1/organizations/{organization_id}/webhook-endpoints";
const endpoint = `${endpoints}/{webhook_endpoint_id}` as const;

const agentWebhook = "/v1/agents/{agent_id}/webhook";

export const webhookRoutes = {
  getAgentWebhook: {
    method: "GET",
    path: agentWebhook,
    scope: "admin",
    summary: "Get an agent's webhook in the hosted service's form: the organization's endpoint for this agent.",
    reply: webhooks.AgentWebhook,
    status: 200,
    mayConflict: true,
  },
  putAgentWebhook: {
    method: "PUT",
    path: agentWebhook,
    scope: "admin",
    summary: "Set an agent's webhook: create its endpoint, or change and enable the existing one.",
    request: webhooks.PutAgentWebhookRequest,
    reply: webhooks.AgentWebhook,
    status: 200,
  },
  deleteAgentWebhook: {
    method: "DELETE",
    path: agentWebhook,
    scope: "admin",
    summary: "Delete an agent's webhook endpoint, if it has one.",
    reply: webhooks.AgentWebhook,
    status: 200,
  },
  rotateAgentWebhookSecret: {
    method: "POST",
    path: `${agentWebhook}/rotate-secret`,
    scope: "admin",
    summary: "Replace the secret of an agent's webhook. For 24 hours, deliveries are signed with the old one as well.",
    reply: webhooks.AgentWebhook,
    status: 200,
    idempotent: true,
  },
  listWebhookEndpoints: {
    method: "GET",
    path: endpoints,
    scope: "admin",
    summary: "List webhook endpoints, without their secrets.",
    query: Type.Object(listQuery),
    reply: listOf("webhook_endpoints", webhooks.WebhookEndpointRecord),
    status: 200,
  },
  createWebhookEndpoint: {
    method: "POST",
    path: endpoints,
    scope: "admin",
    summary: "Deliver events to a URL from now on. The signing secret is shown once.",
    request: webhooks.CreateWebhookEndpointRequest,
    reply: webhooks.WebhookEndpointCreated,
    status: 201,
    idempotent: true,
  },
  getWebhookEndpoint: {
    method: "GET",
    path: endpoint,
    scope: "admin",
    summary: "Get a webhook endpoint, without its secret.",
    reply: webhooks.WebhookEndpointRecord,
    status: 200,
  },
  updateWebhookEndpoint: {
    method: "PATCH",
    path: endpoint,
    scope: "admin",
    summary: "Change a webhook endpoint, or disable and enable it. Absent fields keep their values.",
    request: webhooks.UpdateWebhookEndpointRequest,
    reply: webhooks.WebhookEndpointRecord,
    status: 200,
  },
  deleteWebhookEndpoint: {
    method: "DELETE",
    path: endpoint,
    scope: "admin",
    summary: "Delete a webhook endpoint. Deliveries that wait are not sent.",
    reply: Deleted,
    status: 200,
  },
  rotateWebhookSecret: {
    method: "POST",
    path: `${endpoint}/rotate-secret`,
    scope: "admin",
    summary: "Replace the signing secret. For 24 hours, deliveries are signed with the old one as well.",
    reply: webhooks.WebhookEndpointCreated,
    status: 200,
    idempotent: true,
  },
  testWebhookEndpoint: {
    method: "POST",
    path: `${endpoint}/test`,
    scope: "admin",
    summary: "Deliver a `webhook.test` event, signed and retried like every other event.",
    reply: webhooks.WebhookDeliveryRecord,
    status: 202,
    idempotent: true,
  },
  listWebhookDeliveries: {
    method: "GET",
    path: `${endpoint}/deliveries`,
    scope: "admin",
    summary: "List deliveries with the outcome of their last attempt, newest first.",
    query: Type.Object({ ...listQuery, status: Type.Optional(oneOf(webhookDeliveryMachine.states)) }),
    reply: listOf("webhook_deliveries", webhooks.WebhookDeliveryRecord),
    status: 200,
  },
  resendWebhookDelivery: {
    method: "POST",
    path: `${endpoint}/deliveries/{webhook_delivery_id}/resend`,
    scope: "admin",
    summary: "Send a delivery again now, with a full set of attempts. Its `webhook-id` stays the same.",
    reply: webhooks.WebhookDeliveryRecord,
    status: 202,
    idempotent: true,
  },
} as const satisfies Record<string, Route>;
