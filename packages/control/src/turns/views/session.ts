// Renders sessions for clients. Their status is derived from their state and open messages.

import type { Metadata, SessionRecord, SessionStatus } from "@dari/contract";
import type { SessionRow } from "@dari/db";
import { deploymentIdOf } from "@dari/domain";

export function renderSession(row: SessionRow): SessionRecord {
  return {
    id: row.id,
    agent_id: row.agentId,
    deployment_id: deploymentIdOf(row.agentId),
    version_id: row.versionId,
    status: statusOf(row),
    name: row.name,
    metadata: row.metadata as Metadata,
    on_busy: row.onBusy,
    internet_access: row.internetAccess,
    last_message_id: row.lastMessageId,
    last_message_status: row.lastMessageState,
    created_at: row.createdAt.toISOString(),
    ended_at: row.endedAt?.toISOString() ?? null,
    ...(row.forkedFromSessionId === null
      ? {}
      : { forked_from: { session_id: row.forkedFromSessionId, message_id: row.forkedFromMessageId } }),
  };
}

export function statusOf(row: Pick<SessionRow, "state" | "pending">): SessionStatus {
  if (row.state !== "open") return row.state;
  return row.pending > 0 ? "active" : "idle";
}
