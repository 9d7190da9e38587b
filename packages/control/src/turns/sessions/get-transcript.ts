// Renders a session's events as a timeline for people: messages, events of the agent, and the ends of turns.

import { shownActivityTypes, type EventRecord, type TranscriptEntry } from "@dari/contract";
import type { Actor, Control, PageOf } from "@dari/control/context";
import { failure } from "@dari/domain";
import { getSession } from "./get-session.ts";
import { readEvents } from "./list-events.ts";

/** The types of events that are shown as entries. */
const shownTypes = [
  "user.message",
  "message.steered",
  "assistant.message_completed",
  "workspace.committed",
  "agent.event",
  "agent.events_omitted",
  ...shownActivityTypes,
  "input.requested",
  "input.submitted",
  "message.failed",
  "message.cancelled",
  "session.rolled_back",
] as const;

/**
 * Returns the entries after an event's number, in order. `next`: the number of the last entry.
 * @throws AppError `not_found`
 */
export async function getTranscript(
  control: Control,
  actor: Actor,
  input: { sessionId: string; afterSequenceNumber: number; limit: number },
): Promise<PageOf<TranscriptEntry>> {
  await getSession(control, actor, input.sessionId);
  const { organizationId } = actor;
  const page = await readEvents(control.db, { ...input, organizationId, types: shownTypes });
  return { rows: page.rows.flatMap(renderEntries), next: page.next };
}

/** Returns the entries of an event. A turn that changed no file has no entry for files. */
function renderEntries(event: EventRecord): TranscriptEntry[] {
  const { sequence_number, created_at, message_id } = event;
  const head = { sequence_number, created_at, ...(message_id === undefined ? {} : { message_id }) };
  if (event.type === "user.message") return [{ ...head, kind: "user", parts: event.data.parts }];
  if (event.type === "assistant.message_completed") {
    return [{ ...head, kind: "assistant", parts: event.data.output.parts }];
  }
  if (event.type === "workspace.committed") {
    const { files_changed } = event.data;
    return files_changed.length === 0 ? [] : [{ ...head, kind: "files", files_changed }];
  }
  if (event.type === "message.failed" || event.type === "message.cancelled") {
    const { output, status } = event.data;
    const error = output?.error ?? failure(event.type === "message.cancelled" ? "cancelled" : "internal_error");
    return [{ ...head, kind: "failure", status, error }];
  }
  return [{ ...head, kind: "event", type: event.type, data: event.data }];
}
