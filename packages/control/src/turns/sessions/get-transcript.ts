// Renders a session's events as a timeline for people: messages, events of the agent, and the ends of turns.

import { shownActivityTypes, type EventRecord, type Metadata, type TranscriptEntry } from "@dari/contract";
import type { Actor, Control, PageOf } from "@dari/control/context";
import { failure } from "@dari/domain";
import { collectToolParts, PartCollector } from "../messages/include-tool-calls.ts";
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

export interface TranscriptInput {
  readonly sessionId: string;
  readonly afterSequenceNumber: number;
  readonly limit: number;
  /** Whether answers also have tool calls as parts. */
  readonly includesToolCalls: boolean;
}

/**
 * Returns the entries after an event's number, in order. `next`: the number of the last entry.
 * @throws AppError `not_found`
 */
export async function getTranscript(
  control: Control,
  actor: Actor,
  { includesToolCalls, ...input }: TranscriptInput,
): Promise<PageOf<TranscriptEntry>> {
  await getSession(control, actor, input.sessionId);
  const { organizationId } = actor;
  const types = includesToolCalls ? [...shownTypes, "attempt.ended"] : shownTypes;
  const page = await readEvents(control.db, { ...input, organizationId, types });
  if (!includesToolCalls) return { rows: page.rows.flatMap(renderEntries), next: page.next };
  const collected = await collectPage(control, actor, page.rows);
  const shown = page.rows.filter(({ type }) => type !== "attempt.ended");
  return { rows: shown.flatMap(renderEntries).map((entry) => includeParts(entry, collected)), next: page.next };
}

/**
 * Collects the parts of the messages that are answered on a page. Only the first of them can have events on an earlier
 * page, because a session's messages run one after the other.
 */
async function collectPage(
  control: Control,
  actor: Actor,
  rows: readonly EventRecord[],
): Promise<ReadonlyMap<string, PartCollector>> {
  const collected = new Map<string, PartCollector>();
  const first = rows.find(({ type }) => type === "assistant.message_completed");
  if (first?.message_id !== undefined) {
    const of = { sessionId: first.session_id, messageId: first.message_id };
    collected.set(of.messageId, await collectToolParts(control, actor, of));
  }
  for (const event of rows) {
    if (event.message_id === undefined || event.message_id === first?.message_id) continue;
    const collector = collected.get(event.message_id) ?? new PartCollector();
    collected.set(event.message_id, collector);
    collector.take(event);
  }
  return collected;
}

function includeParts(entry: TranscriptEntry, collected: ReadonlyMap<string, PartCollector>): TranscriptEntry {
  if (entry.kind !== "assistant") return entry;
  return { ...entry, ...collected.get(entry.message_id ?? "")?.before(entry.parts) };
}

/** Returns the entries of an event. A turn that changed no file has no entry for files. */
function renderEntries(event: EventRecord): TranscriptEntry[] {
  const { sequence_number, created_at, message_id } = event;
  const head = { sequence_number, created_at, ...(message_id === undefined ? {} : { message_id }) };
  if (event.type === "user.message") {
    return [{ ...head, kind: "user", parts: event.data.parts, ...renderEndUser(event.data.metadata) }];
  }
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

/** Returns what sending with a session token has stored in the message's metadata. */
function renderEndUser({ end_user_id: id, end_user_name: name }: Metadata): Pick<UserEntry, "end_user"> {
  if (id === undefined && name === undefined) return {};
  return {
    end_user: {
      ...(id === undefined ? {} : { id: String(id) }),
      ...(name === undefined ? {} : { name: String(name) }),
    },
  };
}

type UserEntry = Extract<TranscriptEntry, { readonly kind: "user" }>;
