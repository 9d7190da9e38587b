// Builds the body of a delivery from its row: the same bytes at every attempt.

import type { EventType, WebhookPayload } from "@dari/contract";
import type { ClaimedDelivery } from "@dari/db";

export function renderPayload(delivery: ClaimedDelivery): string {
  const { sessionId, sequenceNumber, agentId, messageId, attemptId } = delivery;
  const timestamp = delivery.eventCreatedAt.toISOString();
  const ids = { id: delivery.eventId, organization_id: delivery.organizationId };
  const isOfLedger = sessionId !== null && sequenceNumber !== null && agentId !== null;
  const payload: WebhookPayload = !isOfLedger
    ? { type: "webhook.test", timestamp, data: ids }
    : {
        type: delivery.type as EventType,
        timestamp,
        data: {
          ...ids,
          session_id: sessionId,
          sequence_number: sequenceNumber,
          agent_id: agentId,
          ...(messageId === null ? {} : { message_id: messageId }),
          ...(attemptId === null ? {} : { attempt_id: attemptId }),
        },
      };
  return JSON.stringify(payload);
}
