// Renders webhook endpoints and deliveries for clients. No field is a secret.

import type { EventType, WebhookDeliveryRecord, WebhookDisabledReason, WebhookEndpointRecord } from "@dari/contract";
import type { WebhookDeliveryRow, WebhookEndpointRow } from "@dari/db";

export function renderEndpoint(row: WebhookEndpointRow): WebhookEndpointRecord {
  return {
    id: row.id,
    url: row.url,
    agent_id: row.agentId,
    event_types: row.eventTypes as EventType[],
    description: row.description,
    status: row.status as WebhookEndpointRecord["status"],
    disabled_reason: row.disabledReason as WebhookDisabledReason | null,
    failing_since: row.failingSince?.toISOString() ?? null,
    old_secret_expires_at: row.oldSecretExpiresAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function renderDelivery(row: WebhookDeliveryRow): WebhookDeliveryRecord {
  return {
    id: row.id,
    endpoint_id: row.endpointId,
    event_id: row.eventId,
    type: row.type,
    session_id: row.sessionId,
    sequence_number: row.sequenceNumber,
    message_id: row.messageId,
    status: row.state as WebhookDeliveryRecord["status"],
    attempts: row.attempts,
    next_attempt_at: row.dueAt?.toISOString() ?? null,
    attempted_at: row.attemptedAt?.toISOString() ?? null,
    duration_ms: row.durationMs,
    response_status: row.responseStatus,
    response_excerpt: row.responseExcerpt,
    error: row.error,
    created_at: row.createdAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
  };
}
