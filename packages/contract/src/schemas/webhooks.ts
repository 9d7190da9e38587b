// Webhook endpoints, their deliveries, and the outcome of each delivery.

import { limits, webhookAttemptsMax, webhookDeliveryMachine } from "@dari/domain";
import Type, { type Static } from "typebox";
import { agentInput, idOutput, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { eventTypes, type EventType } from "../vocabulary.ts";
import { discriminatedUnion, openObject, unknownType } from "./events.ts";

/** Event types of an endpoint that does not choose any. */
export const defaultWebhookEventTypes: readonly EventType[] = [
  "message.completed",
  "message.failed",
  "message.cancelled",
];

export const webhookDisabledReasons = ["manual", "failing", "gone", "backlog"] as const;
export type WebhookDisabledReason = (typeof webhookDisabledReasons)[number];

const url = Type.String({
  minLength: 1,
  maxLength: limits.webhookUrlChars,
  examples: ["https://example.com/hooks/dari"],
  description: "https:// URL on a public address. Redirects are not followed.",
});
const chosenTypes = Type.Array(oneOf(eventTypes), {
  minItems: 1,
  uniqueItems: true,
  description: `Event types to deliver (default ${defaultWebhookEventTypes.join(", ")}).`,
});
const description = Type.String({ maxLength: limits.webhookDescriptionChars });

export const CreateWebhookEndpointRequest = Type.Object(
  {
    url,
    event_types: Type.Optional(chosenTypes),
    agent_id: Type.Optional(agentInput),
    description: Type.Optional(description),
  },
  { ...noOtherFields, title: "CreateWebhookEndpointRequest" },
);
export type CreateWebhookEndpointRequest = Static<typeof CreateWebhookEndpointRequest>;

export const UpdateWebhookEndpointRequest = Type.Object(
  {
    url: Type.Optional(url),
    event_types: Type.Optional(chosenTypes),
    description: Type.Optional(
      Type.Unsafe<string | null>({ type: ["string", "null"], maxLength: limits.webhookDescriptionChars }),
    ),
    status: Type.Optional(oneOf(["enabled", "disabled"])),
  },
  { ...noOtherFields, minProperties: 1, title: "UpdateWebhookEndpointRequest" },
);
export type UpdateWebhookEndpointRequest = Static<typeof UpdateWebhookEndpointRequest>;

export const PutAgentWebhookRequest = Type.Object(
  { webhook_url: url, event_types: Type.Optional(chosenTypes) },
  { ...noOtherFields, title: "PutAgentWebhookRequest" },
);
export type PutAgentWebhookRequest = Static<typeof PutAgentWebhookRequest>;

export const AgentWebhook = Type.Object(
  {
    webhook_url: nullable(Type.String({ description: "Null: the agent has no webhook endpoint." })),
    signing_enabled: Type.Boolean({ description: "True: every delivery is signed." }),
    event_types: Type.Array(oneOf(eventTypes)),
    signing_secret: nullable(
      Type.String({ description: "`whsec_…`. Shown once, when it is created or replaced; otherwise null." }),
    ),
    webhook_endpoint_id: nullable(idOutput("webhookEndpoint")),
  },
  { title: "AgentWebhook", description: "The organization's webhook endpoint for this agent." },
);
export type AgentWebhook = Static<typeof AgentWebhook>;

const endpointFields = {
  id: idOutput("webhookEndpoint"),
  url: Type.String(),
  agent_id: nullable(Type.String({ description: "Agent whose events are delivered. Null: events of all agents." })),
  event_types: Type.Array(oneOf(eventTypes)),
  description: nullable(Type.String()),
  status: oneOf(["enabled", "disabled"]),
  disabled_reason: nullable(oneOf(webhookDisabledReasons)),
  failing_since: nullable(
    Type.String({
      format: "date-time",
      description: "Start of the current run of failed attempts. Null: the last attempt did not fail.",
    }),
  ),
  old_secret_expires_at: nullable(
    Type.String({
      format: "date-time",
      description: "Until when deliveries are also signed with the old secret. Null: they are not.",
    }),
  ),
  created_at: timestamp,
  updated_at: timestamp,
};

export const WebhookEndpointRecord = Type.Object(endpointFields, { title: "WebhookEndpoint" });
export type WebhookEndpointRecord = Static<typeof WebhookEndpointRecord>;

export const WebhookEndpointCreated = Type.Object(
  {
    ...endpointFields,
    secret: Type.Optional(
      Type.String({
        description: "`whsec_…`, verifies deliveries. Shown once: absent if an idempotent request is repeated.",
      }),
    ),
  },
  { title: "WebhookEndpointCreated" },
);
export type WebhookEndpointCreated = Static<typeof WebhookEndpointCreated>;

export const WebhookDeliveryRecord = Type.Object(
  {
    id: idOutput("webhookDelivery"),
    endpoint_id: idOutput("webhookEndpoint"),
    event_id: Type.String({ description: "Id of the event. Every attempt sends it as `webhook-id`." }),
    type: Type.String({ examples: ["message.completed", "webhook.test"] }),
    session_id: nullable(idOutput("session")),
    sequence_number: nullable(Type.Integer()),
    message_id: nullable(idOutput("message")),
    status: oneOf(webhookDeliveryMachine.states),
    attempts: Type.Integer({ description: `Attempts so far. The delivery fails after ${webhookAttemptsMax}.` }),
    next_attempt_at: nullable(timestamp),
    attempted_at: nullable(timestamp),
    duration_ms: nullable(Type.Integer({ description: "Duration of the last attempt, in milliseconds." })),
    response_status: nullable(Type.Integer()),
    response_excerpt: nullable(Type.String({ description: "Start of the reply's body." })),
    error: nullable(Type.String({ description: "Why the last attempt failed, for people." })),
    created_at: timestamp,
    ended_at: nullable(timestamp),
  },
  { title: "WebhookDelivery" },
);
export type WebhookDeliveryRecord = Static<typeof WebhookDeliveryRecord>;

const payloadIds = { id: idOutput("event"), organization_id: idOutput("organization") };
const webhookTest = "webhook.test";

const WebhookEvent = Type.Object(
  {
    type: oneOf(eventTypes),
    timestamp,
    data: Type.Object({
      ...payloadIds,
      session_id: idOutput("session"),
      sequence_number: Type.Integer(),
      agent_id: idOutput("agent"),
      message_id: Type.Optional(idOutput("message")),
      attempt_id: Type.Optional(idOutput("attempt")),
    }),
  },
  { title: "WebhookEvent", description: "An event of the ledger; read its payload under its sequence number." },
);

const WebhookTest = Type.Object(
  { type: oneOf([webhookTest]), timestamp, data: Type.Object(payloadIds) },
  { title: "WebhookTest", description: "Sent on request, to try an endpoint." },
);

const UnknownWebhook = Type.Object(
  { type: unknownType([...eventTypes, webhookTest]), timestamp, data: openObject },
  { title: "UnknownWebhook", description: "A type that a later platform added. Ignore it." },
);

export type WebhookPayload = Static<typeof WebhookEvent> | Static<typeof WebhookTest> | Static<typeof UnknownWebhook>;

/** The body of a delivery: says what happened and where to read it, without its contents. */
export const WebhookPayload = Type.Unsafe<WebhookPayload>({
  title: "WebhookPayload",
  anyOf: [discriminatedUnion("KnownWebhook", [WebhookEvent, WebhookTest]), UnknownWebhook],
});
