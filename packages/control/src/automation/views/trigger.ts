// Renders triggers for clients. No field is a secret.

import type { TriggerCondition, TriggerRecord, TriggerScheme } from "@dari/contract";
import { requestedLane } from "@dari/control/turns";
import type { TriggerRow } from "@dari/db";

export function renderTrigger(row: TriggerRow): TriggerRecord {
  return {
    id: row.id,
    agent_id: row.agentId,
    name: row.name,
    scheme: row.scheme as TriggerScheme,
    has_secret: row.hasSecret,
    old_secret_expires_at: row.oldSecretExpiresAt?.toISOString() ?? null,
    text: row.textTemplate,
    session_key: row.sessionKey,
    event_id: row.eventId,
    // Validated before they were stored.
    when: row.conditions as TriggerCondition[],
    missing: row.missing,
    include_body: row.includesBody,
    lane: requestedLane(row),
    status: row.status,
    changed_by_key_id: row.changedByKeyId,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
