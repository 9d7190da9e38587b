// Renders batches for clients.

import type {
  BatchResult,
  BatchSessionRecord,
  MessageOutput,
  MessagePart,
  Metadata,
  SessionBatchRecord,
  SessionBatchSummary,
} from "@dari/contract";
import { requestedLane } from "@dari/control/turns";
import type { BatchItemRow, BatchProgress, BatchResultRow, BatchRow } from "@dari/db";

export function renderBatchSummary(row: BatchRow, isOpen: boolean): SessionBatchSummary {
  return {
    id: row.id,
    agent_id: row.agentId,
    name: row.name,
    metadata: row.metadata as Metadata,
    lane: requestedLane(row),
    max_concurrency: row.maxConcurrency,
    total: row.total,
    created_at: row.createdAt.toISOString(),
    cancel_requested_at: row.cancelRequestedAt?.toISOString() ?? null,
    status: !isOpen ? "ended" : row.cancelRequestedAt === null ? "in_progress" : "cancelling",
  };
}

export function renderBatch(row: BatchRow, { counts: found, endedAt }: BatchProgress): SessionBatchRecord {
  const counts = {
    queued: found.queued ?? 0,
    running: found.running ?? 0,
    waiting_for_input: found.waiting_for_input ?? 0,
    completed: found.completed ?? 0,
    failed: found.failed ?? 0,
    cancelled: found.cancelled ?? 0,
    deleted: found.deleted ?? 0,
  };
  const isOpen = counts.queued + counts.running + counts.waiting_for_input > 0;
  return {
    ...renderBatchSummary(row, isOpen),
    counts,
    finished_at: endedAt?.toISOString() ?? null,
  };
}

export function renderBatchItem(row: BatchItemRow): BatchSessionRecord {
  return {
    index: row.number,
    session_id: row.sessionId,
    message_id: row.messageId,
    name: row.name,
    message_status: row.messageState,
    error: (row.error ?? null) as BatchSessionRecord["error"],
    newest_message_id: row.newestId,
    newest_status: row.newestState,
    prompt: row.prompt,
    answer: row.answer,
    duration_ms: row.durationMs === null ? null : Math.round(row.durationMs),
  };
}

export function renderBatchResult(row: BatchResultRow): BatchResult {
  const output = row.output as MessageOutput | null;
  const parts = row.parts as readonly MessagePart[] | null;
  const duration = row.startedAt && row.completedAt && row.completedAt.getTime() - row.startedAt.getTime();
  return {
    index: row.number,
    session_id: row.sessionId,
    message_id: row.messageId,
    name: row.name,
    metadata: row.metadata as Metadata | null,
    prompt: parts === null ? null : joinTexts(parts),
    status: row.state,
    answer: row.state === "completed" && output !== null ? joinTexts(output.parts) : null,
    files: (output?.parts ?? []).flatMap((part) => (part.type === "text" ? [] : [part.path])),
    error: output?.error ?? null,
    attempts: row.attempts ?? 0,
    duration_ms: duration,
  };
}

function joinTexts(parts: readonly { readonly type: string; readonly text?: string }[]): string {
  return parts.flatMap(({ text }) => text ?? []).join("\n");
}
