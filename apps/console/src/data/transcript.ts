// Computes a session's conversation from its stream: events and previews in, turns out. Draws nothing.

import { isLedgerEvent, type PreviewEvent, type StreamItem } from "@dari/client";
import {
  activityTypes,
  isMessageEnd,
  type EventRecord,
  type FailureRecord,
  type FileChange,
  type IncludedPart,
  type KnownEvent,
  type MessagePart,
  type MessageRecord,
  type OutputPart,
} from "@dari/contract";

export type EventOf<T extends KnownEvent["type"]> = Extract<KnownEvent, { readonly type: T }>;

const stepTypes = [
  "agent.event",
  "agent.events_omitted",
  ...activityTypes,
  "input.requested",
  "input.submitted",
] as const;

type OwnStep = EventOf<(typeof stepTypes)[number]>;

/** A later message that the running turn took. */
type SteeredStep = EventOf<"message.steered"> & { readonly parts: readonly MessagePart[] };

/** Something that an agent did or got before its answer. */
export type Step = OwnStep | SteeredStep;

function isStep(event: EventRecord): event is OwnStep {
  return stepTypes.some((type) => type === event.type);
}

export interface Attempt {
  readonly id: string;
  /** The API's number of the attempt. Runs that do not count share their number with the next one. */
  readonly number: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome?: EventOf<"attempt.ended">["data"]["outcome"];
  readonly error?: FailureRecord;
  readonly usage?: Readonly<Record<string, number>>;
}

/** Reasoning, or the arguments of a tool call, as the model writes them. */
export interface Draft {
  readonly kind: "reasoning" | "call";
  /** The request's ordinal, or the call's id. */
  readonly key: string;
  /** The tool's name; empty for reasoning. */
  readonly name: string;
  readonly text: string;
}

export interface Turn {
  readonly messageId: string;
  readonly createdAt: string;
  readonly status: MessageRecord["status"];
  readonly parts: readonly MessagePart[];
  /** The end user whose session token sent it. */
  readonly endUser?: string;
  /** The text of the running attempt so far; empty after the answer. */
  readonly preview: string;
  /** The end of that text in the attempt's text, in UTF-16 units. Larger than its length if pieces were lost. */
  readonly previewEnd: number;
  /** What the model writes besides that text. Events with the same content follow. */
  readonly drafts: readonly Draft[];
  readonly output: readonly OutputPart[];
  /** Why the answer has neither text nor changed files. */
  readonly notes: readonly string[];
  readonly error?: FailureRecord;
  readonly steps: readonly Step[];
  readonly attempts: readonly Attempt[];
  readonly filesChanged: readonly FileChange[];
  readonly isRolledBack: boolean;
  /** The message whose turn took this one, and shows it. */
  readonly steeredInto?: string | undefined;
  /** The message's record when it ended. */
  readonly record?: MessageRecord;
}

export interface Transcript {
  /** The turns, in the order of acceptance. */
  readonly turns: readonly Turn[];
  readonly lastSequenceNumber: number;
}

const noPreview = { preview: "", previewEnd: 0, drafts: [] };

export const emptyTranscript: Transcript = { turns: [], lastSequenceNumber: 0 };

/** Returns the transcript after one more event. Unknown types change nothing. */
export function addEvent(transcript: Transcript, event: StreamItem): Transcript {
  if (!isLedgerEvent(event)) return addPreview(transcript, event);
  if (event.sequence_number <= transcript.lastSequenceNumber) return transcript;
  return { turns: turnsAfter(transcript.turns, event), lastSequenceNumber: event.sequence_number };
}

function turnsAfter(turns: readonly Turn[], event: EventRecord): readonly Turn[] {
  const { message_id: messageId } = event;
  if (messageId === undefined) return turns;
  if (event.type === "user.message") return [...turns, newTurn(event)];
  if (event.type === "session.rolled_back") return rollBack(turns, messageId);
  if (event.type === "message.steered") return steer(turns, event);
  return turns.map((turn) => (turn.messageId === messageId ? { ...turn, ...changeBy(turn, event) } : turn));
}

function newTurn({ message_id: messageId, created_at: createdAt, data }: EventOf<"user.message">): Turn {
  const noAnswer = { ...noPreview, output: [], notes: [] };
  const nothing = { ...noAnswer, steps: [], attempts: [], filesChanged: [], isRolledBack: false };
  const endUser = data.metadata["end_user_name"] ?? data.metadata["end_user_id"];
  const sender = endUser === undefined ? {} : { endUser: String(endUser) };
  return { messageId, createdAt, status: "queued", parts: data.parts, ...sender, ...nothing };
}

function rollBack(turns: readonly Turn[], messageId: string): readonly Turn[] {
  const last = turns.findIndex((turn) => turn.messageId === messageId);
  return turns.map((turn, index) => (index > last ? { ...turn, isRolledBack: true } : turn));
}

/** Adds the message to the turn that took it. */
function steer(turns: readonly Turn[], event: EventOf<"message.steered">): readonly Turn[] {
  const { into } = event.data;
  const parts = turns.find(({ messageId }) => messageId === event.message_id)?.parts ?? [];
  return turns.map((turn) => {
    if (turn.messageId === event.message_id) return { ...turn, steeredInto: into };
    return turn.messageId === into ? { ...turn, steps: [...turn.steps, { ...event, parts }] } : turn;
  });
}

function changeBy(turn: Turn, event: EventRecord): Partial<Turn> {
  if (isStep(event)) return { steps: [...turn.steps, event], ...previewAfter(turn, event) };
  if (isMessageEnd(event)) return endedBy(event.data);
  if (event.type === "message.status_changed") return { status: event.data.status };
  if (event.type === "attempt.started") {
    // The turn that took this message was repeated without it.
    return { ...noPreview, steeredInto: undefined, attempts: [...turn.attempts, started(event)] };
  }
  if (event.type === "attempt.ended") {
    const attempts = turn.attempts.map((one) => (one.id === event.attempt_id ? ended(one, event) : one));
    return { ...noPreview, attempts };
  }
  if (event.type === "assistant.message_completed") return { ...noPreview, ...outputOf(event.data.output) };
  return event.type === "workspace.committed" ? { filesChanged: event.data.files_changed } : {};
}

/** What has an event of its own is shown at its place, so it is no longer a preview. */
function previewAfter({ preview, drafts }: Turn, event: Step): Partial<Turn> {
  if (event.type === "tool.call_requested") return { drafts: drafts.filter(({ key }) => key !== event.data.call_id) };
  if (event.type === "model.request_completed") {
    return { drafts: drafts.filter(({ kind, key }) => kind === "call" || key !== String(event.data.ordinal)) };
  }
  if (event.type === "reasoning.completed") return { drafts: drafts.filter(({ kind }) => kind !== "reasoning") };
  if (event.type !== "assistant.message" || event.data.parent_call_id !== undefined) return {};
  const { text, text_bytes: wholeBytes } = event.data;
  const at = text === "" ? -1 : preview.indexOf(text);
  if (at === -1) return {};
  const after = wholeBytes === undefined ? preview.slice(at + text.length) : "";
  return { preview: (preview.slice(0, at) + after).trimStart() };
}

function started({ attempt_id: id, created_at: startedAt, data }: EventOf<"attempt.started">): Attempt {
  return { id, number: data.number, startedAt };
}

function ended(attempt: Attempt, { created_at: endedAt, data }: EventOf<"attempt.ended">): Attempt {
  const { outcome, error, usage } = data;
  return {
    ...attempt,
    endedAt,
    outcome,
    ...(error === undefined ? {} : { error }),
    ...(usage === undefined ? {} : { usage }),
  };
}

function endedBy(record: MessageRecord): Partial<Turn> {
  const { status, parts, output, files_changed: filesChanged } = record;
  const error = output?.error;
  return {
    status,
    // The record has the names of files and their paths.
    parts,
    ...noPreview,
    ...outputOf(output),
    filesChanged,
    record,
    ...(error === undefined ? {} : { error }),
  };
}

function outputOf(output: MessageRecord["output"]): Pick<Turn, "output" | "notes"> {
  return { output: (output?.parts ?? []).filter(isAnswer), notes: output?.notes ?? [] };
}

/** Tool calls are parts only for a client that asks for them. */
function isAnswer(part: IncludedPart): part is OutputPart {
  return part.type !== "tool_call" && part.type !== "tool_result";
}

/** Adds a preview to the running attempt. Late ones of other attempts are dropped. */
function addPreview(transcript: Transcript, event: PreviewEvent): Transcript {
  const turns = transcript.turns.map((turn) => {
    const isRunning = turn.messageId === event.message_id && turn.attempts.at(-1)?.id === event.attempt_id;
    return isRunning && turn.attempts.at(-1)?.endedAt === undefined
      ? { ...turn, ...changeByPreview(turn, event) }
      : turn;
  });
  return { ...transcript, turns };
}

function changeByPreview(turn: Turn, event: PreviewEvent): Partial<Turn> {
  if (event.type === "assistant.text_delta") return addText(turn, event.data);
  if (event.type === "reasoning.delta") {
    return addDraft(turn, { kind: "reasoning", key: String(event.data.ordinal), name: "", text: event.data.text });
  }
  if (event.type !== "tool.arguments_delta") return {};
  const { call_id: key, name, text } = event.data;
  const isKnown = turn.steps.some((step) => step.type === "tool.call_requested" && step.data.call_id === key);
  return isKnown ? {} : addDraft(turn, { kind: "call", key, name, text });
}

/** Adds a piece of text at its offset. A lost piece leaves a mark, which the answer removes. */
function addText(
  { preview, previewEnd }: Turn,
  { text, offset }: { readonly text: string; readonly offset: number },
): Partial<Turn> {
  const before =
    offset > previewEnd ? `${preview}… ` : preview.slice(0, Math.max(0, preview.length + offset - previewEnd));
  return { preview: before + text, previewEnd: offset + text.length };
}

/** Only the end of a draft is shown, in one line. */
const draftChars = 2_000;
/** The newest ones. */
const draftsMax = 20;

function addDraft({ drafts }: Turn, piece: Draft): Partial<Turn> {
  const known = drafts.find(({ kind, key }) => kind === piece.kind && key === piece.key);
  if (known === undefined) return { drafts: [...drafts, piece].slice(-draftsMax) };
  const grown = { ...known, text: (known.text + piece.text).slice(-draftChars) };
  return { drafts: drafts.map((draft) => (draft === known ? grown : draft)) };
}
