// The body of a delivery: the same bytes at every attempt, from what its row says.

import type { WebhookPayload } from "@dari/contract";
import type { ClaimedDelivery } from "@dari/db";

export function renderPayload(delivery: ClaimedDelivery): string {
  const { sessionId, sequenceNumber, agentId, messageId, attemptId } = delivery;
  const payload: WebhookPayload = {
    type: delivery.type,
    timestamp: delivery.eventCreatedAt.toISOString(),
    data: {
      id: delivery.eventId,
      organization_id: delivery.organizationId,
      ...(sessionId === null ? {} : { session_id: sessionId }),
      ...(sequenceNumber === null ? {} : { sequence_number: sequenceNumber }),
      ...(agentId === null ? {} : { agent_id: agentId }),
      ...(messageId === null ? {} : { message_id: messageId }),
      ...(attemptId === null ? {} : { attempt_id: attemptId }),
    },
  };
  return JSON.stringify(payload);
}
