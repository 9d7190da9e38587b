// Computes a session's conversation from its stream: events and previews in, turns out. Draws nothing.

import { isLedgerEvent, type StreamedEvent } from "@dari/client";
import type { EventRecord, FailureRecord, FileChange, MessagePart, MessageRecord, OutputPart } from "@dari/contract";

/** Something that an agent did before its answer. */
export interface Step {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Attempt {
  readonly id: string;
  /** The API's number of the attempt. Runs that do not count share their number with the next one. */
  readonly number: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome?: string;
  readonly error?: FailureRecord;
  readonly usage?: Readonly<Record<string, number>>;
}

export interface Turn {
  readonly messageId: string;
  readonly createdAt: string;
  readonly status: MessageRecord["status"];
  readonly parts: readonly MessagePart[];
  /** The text of the running attempt so far; empty after the answer. */
  readonly preview: string;
  /** The end of that text in the attempt's text, in UTF-16 units. Larger than its length if pieces were lost. */
  readonly previewEnd: number;
  readonly output: readonly OutputPart[];
  /** Why the answer has neither text nor changed files. */
  readonly notes: readonly string[];
  readonly error?: FailureRecord;
  readonly steps: readonly Step[];
  readonly attempts: readonly Attempt[];
  readonly filesChanged: readonly FileChange[];
  readonly isRolledBack: boolean;
  /** The message's record when it ended. */
  readonly record?: MessageRecord;
}

export interface Transcript {
  /** The turns, in the order of acceptance. */
  readonly turns: readonly Turn[];
  readonly lastSequenceNumber: number;
}

const noPreview = { preview: "", previewEnd: 0 };

export const emptyTranscript: Transcript = { turns: [], lastSequenceNumber: 0 };

/** Returns the transcript after one more event. Unknown types change nothing. */
export function addEvent(transcript: Transcript, event: StreamedEvent): Transcript {
  if (!isLedgerEvent(event)) return addPreview(transcript, event);
  if (event.sequence_number <= transcript.lastSequenceNumber) return transcript;
  return { turns: turnsAfter(transcript.turns, event), lastSequenceNumber: event.sequence_number };
}

function turnsAfter(turns: readonly Turn[], event: EventRecord): readonly Turn[] {
  const { message_id: messageId } = event;
  if (messageId === undefined) return turns;
  if (event.type === "user.message") return [...turns, newTurn(messageId, event)];
  if (event.type === "session.rolled_back") return rollBack(turns, messageId);
  return turns.map((turn) => (turn.messageId === messageId ? { ...turn, ...changeBy(turn, event) } : turn));
}

function newTurn(messageId: string, { created_at: createdAt, data }: EventRecord): Turn {
  const parts = (data["parts"] ?? []) as MessagePart[];
  const noAnswer = { ...noPreview, output: [], notes: [] };
  const nothing = { ...noAnswer, steps: [], attempts: [], filesChanged: [], isRolledBack: false };
  return { messageId, createdAt, status: "queued", parts, ...nothing };
}

function rollBack(turns: readonly Turn[], messageId: string): readonly Turn[] {
  const last = turns.findIndex((turn) => turn.messageId === messageId);
  return turns.map((turn, index) => (index > last ? { ...turn, isRolledBack: true } : turn));
}

function changeBy(turn: Turn, event: EventRecord): Partial<Turn> {
  const { type, data, attempt_id: attemptId = "" } = event;
  switch (type) {
    case "message.status_changed":
      return { status: data["status"] as Turn["status"] };
    case "attempt.started":
      return { ...noPreview, attempts: [...turn.attempts, started(turn, event)] };
    case "attempt.ended":
      return { ...noPreview, attempts: turn.attempts.map((one) => (one.id === attemptId ? ended(one, event) : one)) };
    case "assistant.message_completed":
      return { ...noPreview, ...outputOf(data["output"]) };
    case "workspace.committed":
      return { filesChanged: (data["files_changed"] ?? []) as FileChange[] };
    case "message.completed":
    case "message.failed":
    case "message.cancelled":
      return endedBy(data as unknown as MessageRecord);
    case "agent.event":
    case "tool.call_requested":
    case "tool.call_completed":
    case "input.requested":
    case "input.submitted":
      return { steps: [...turn.steps, { id: event.id, type, data }] };
    default:
      return {};
  }
}

function started({ attempts }: Turn, { attempt_id: id = "", created_at: startedAt, data }: EventRecord): Attempt {
  return { id, number: Number(data["number"] ?? attempts.length + 1), startedAt };
}

function ended(attempt: Attempt, { created_at: endedAt, data }: EventRecord): Attempt {
  const error = data["error"] as FailureRecord | undefined;
  const usage = data["usage"] as Attempt["usage"];
  return {
    ...attempt,
    endedAt,
    outcome: String(data["outcome"]),
    ...(error === undefined ? {} : { error }),
    ...(usage === undefined ? {} : { usage }),
  };
}

function endedBy(record: MessageRecord): Partial<Turn> {
  const { status, parts, output, files_changed: filesChanged = [] } = record;
  const error = output?.error;
  return {
    status,
    // The record has the names of files and their paths.
    ...(parts === undefined ? {} : { parts }),
    ...noPreview,
    ...outputOf(output),
    filesChanged,
    record,
    ...(error === undefined ? {} : { error }),
  };
}

function outputOf(given: unknown): Pick<Turn, "output" | "notes"> {
  const { parts: output = [], notes = [] } = (given ?? {}) as Partial<NonNullable<MessageRecord["output"]>>;
  return { output, notes };
}

/** Adds a piece of text at its offset. A lost piece leaves a mark, which the answer removes. */
function addPreview(transcript: Transcript, event: Exclude<StreamedEvent, EventRecord>): Transcript {
  if (event.type !== "assistant.text_delta") return transcript;
  const text = String(event.data["text"] ?? "");
  const turns = transcript.turns.map((turn) => {
    const isRunning = turn.messageId === event.message_id && turn.attempts.at(-1)?.id === event.attempt_id;
    if (!isRunning || turn.attempts.at(-1)?.endedAt !== undefined) return turn;
    const { preview, previewEnd } = turn;
    const offset = Number(event.data["offset"] ?? previewEnd);
    const before =
      offset > previewEnd ? `${preview}… ` : preview.slice(0, Math.max(0, preview.length + offset - previewEnd));
    return { ...turn, preview: before + text, previewEnd: offset + text.length };
  });
  return { ...transcript, turns };
}
