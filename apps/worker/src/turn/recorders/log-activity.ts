// Logs what an agent has completed, without arguments, results and texts. Traces are made from these lines.

import type { ActivityType } from "@dari/contract";
import type { AgentEvent } from "@dari/control/turns";
import type { Log } from "@dari/domain";
import type { RestoredAttempt } from "../attempt.ts";

/** The fields of `data` that a line has, by type of event. */
const loggedFields: Readonly<Partial<Record<ActivityType, readonly string[]>>> = {
  "model.request_completed": [
    "ordinal",
    "provider",
    "model",
    "usage",
    "finish_reason",
    "agent",
    "parent_call_id",
    "duration_ms",
  ],
  "tool.call_completed": ["call_id", "name", "agent", "parent_call_id", "is_error", "duration_ms"],
  "subagent.completed": ["name", "parent_call_id", "is_error", "duration_ms"],
};

/** `event`: valid and without secrets. */
export function logActivity(log: Log, turn: RestoredAttempt["turn"], event: AgentEvent): void {
  const names = loggedFields[event.type as ActivityType];
  if (names === undefined) return;
  const data = event.data as Readonly<Record<string, unknown>>;
  const fields: Record<string, unknown> = {
    org: turn.organizationId,
    session: turn.sessionId,
    message: turn.messageId,
    attempt: turn.attemptId,
  };
  for (const name of names) if (data[name] !== undefined) fields[name] = data[name];
  if (data["error"] !== undefined) fields["is_error"] = true;
  log.debug(fields, event.type);
}
