// Renders messages for clients.

import { waitingReasons, type MessageInput, type MessageRecord, type WaitingReason } from "@dari/contract";
import type { AskedInput, MessageRow } from "@dari/db";
import type { Lane } from "@dari/domain";

export function requestedLane({ isBackground }: { readonly isBackground: boolean }): Lane {
  return isBackground ? "background" : "interactive";
}

export function renderMessage(row: MessageRow): MessageRecord {
  return {
    id: row.id,
    session_id: row.sessionId,
    sequence_number: row.sequenceNumber,
    status: row.state,
    waiting_reason: waitingReasonOf(row),
    lane: requestedLane(row),
    // Operations and SQL functions store these fields in the contract's form.
    parts: row.parts as MessageRecord["parts"],
    metadata: row.metadata as MessageRecord["metadata"],
    output: row.output as MessageRecord["output"],
    files_changed: row.filesChanged as MessageRecord["files_changed"],
    attempt: row.attempt,
    max_attempts: row.maxAttempts,
    ...(row.limits === null ? {} : { limits: row.limits }),
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    completed_at: row.completedAt?.toISOString() ?? null,
    timings: row.timings as MessageRecord["timings"],
    ...(row.mergedInto === null || row.steeredInto !== null ? {} : { merged_into: row.mergedInto }),
    ...(row.steeredInto === null ? {} : { delivered_in: row.steeredInto }),
    ...(row.steeredEvent === null ? {} : { delivered_after: row.steeredEvent }),
    ...(row.retryOf === null ? {} : { retry_of: row.retryOf }),
    ...(row.replayOf === null ? {} : { replay_of: row.replayOf }),
    ...(row.copiedFrom === null ? {} : { copied_from: row.copiedFrom }),
    ...(row.inputs === null ? {} : { inputs: row.inputs.map(renderInput) }),
    ...(row.rolledBack ? { rolled_back: true as const } : {}),
  };
}

function renderInput({ key, state, schema, prompt, budget, ...times }: AskedInput): MessageInput {
  const shown = (time: string): string => new Date(time).toISOString();
  return {
    key,
    ...(budget === null ? {} : { type: "budget" as const, budget }),
    status: state,
    schema,
    prompt,
    requested_at: shown(times.requestedAt),
    expires_at: shown(times.expiresAt),
    ended_at: times.endedAt === null ? null : shown(times.endedAt),
  };
}

/** Returns why a message waits; null if it does not wait, or only for earlier messages of its session. */
function waitingReasonOf(row: MessageRow): WaitingReason | null {
  if (row.state === "waiting_for_input") return "input";
  if (row.schedule === "retry_wait") return "retry";
  if (row.schedule !== "blocked") return null;
  return waitingReasons.find((reason) => reason === row.blockedReason) ?? null;
}
