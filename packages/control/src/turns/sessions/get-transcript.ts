// A session's ledger as a timeline for readers: what was said, what the agent reported, how turns ended.

import type { EventRecord, TranscriptEntry } from "@dari/contract";
import type { Actor, Control, PageOf } from "@dari/control/context";
import { failure, type Failure } from "@dari/domain";
import { getSession } from "./get-session.ts";
import { readEvents } from "./list-events.ts";

/** Types that become entries. */
const shownTypes = [
  "user.message",
  "assistant.message_completed",
  "workspace.committed",
  "agent.event",
  "tool.call_requested",
  "tool.call_completed",
  "input.requested",
  "input.submitted",
  "message.failed",
  "message.cancelled",
  "session.rolled_back",
] as const;

/** Entries after an event's number, in order; `next` is the number of the last one. @throws AppError `not_found` */
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

/** Nothing for a turn that changed no file. */
function renderEntries(event: EventRecord): TranscriptEntry[] {
  const { sequence_number, created_at, message_id, data, type } = event;
  const head = { sequence_number, created_at, ...(message_id === undefined ? {} : { message_id }) };
  // The ledger holds what the schemas of messages describe.
  const read = data as {
    parts: Extract<TranscriptEntry, { kind: "user" }>["parts"];
    output: { parts: Extract<TranscriptEntry, { kind: "assistant" }>["parts"]; error?: Failure } | null;
    files_changed: Extract<TranscriptEntry, { kind: "files" }>["files_changed"];
    status: string;
  };
  switch (type) {
    case "user.message":
      return [{ ...head, kind: "user", parts: read.parts }];
    case "assistant.message_completed":
      return [{ ...head, kind: "assistant", parts: read.output?.parts ?? [] }];
    case "workspace.committed":
      return read.files_changed.length === 0 ? [] : [{ ...head, kind: "files", files_changed: read.files_changed }];
    case "message.failed":
    case "message.cancelled": {
      const error = read.output?.error ?? failure(type === "message.cancelled" ? "cancelled" : "internal_error");
      return [{ ...head, kind: "failure", status: read.status, error }];
    }
    default:
      return [{ ...head, kind: "event", type, data }];
  }
}
