// Renders schedules and their firings for clients.

import type { FiringReason, FiringRecord, Metadata, ScheduleRecord } from "@dari/contract";
import { requestedLane } from "@dari/control/turns";
import type { FiringRow, ScheduleRow } from "@dari/db";

export function renderSchedule(row: ScheduleRow): ScheduleRecord {
  return {
    id: row.id,
    name: row.name,
    agent_id: row.agentId,
    session_id: row.sessionId,
    cron: row.cron,
    time_zone: row.timeZone,
    // Validated before they were stored.
    parts: row.parts as ScheduleRecord["parts"],
    metadata: row.metadata as Metadata,
    overlap: row.overlap,
    lane: requestedLane(row),
    status: row.status,
    paused_reason: row.pausedReason,
    next_due_at: row.nextDueAt?.toISOString() ?? null,
    last_fired_at: row.lastFiredAt?.toISOString() ?? null,
    changed_by_key_id: row.changedByKeyId,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

export function renderFiring(row: FiringRow): FiringRecord {
  return {
    id: row.id,
    schedule_id: row.scheduleId,
    due_at: row.dueAt.toISOString(),
    created_at: row.createdAt.toISOString(),
    outcome: row.outcome,
    session_id: row.sessionId,
    message_id: row.messageId,
    message_status: row.messageState,
    reason:
      row.reasonCode === null ? null : { code: row.reasonCode as FiringReason, message: row.reason ?? row.reasonCode },
    missed_count: row.missedCount,
  };
}
