// The events of a session: the type, ids and payload of each, as the ledger lists them and streams send them.

import { attemptOutcomes, type Preview } from "@dari/domain";
import Type, { type Static, type TObject, type TSchema } from "typebox";
import { activityKinds, anyJson, ofCopiedAttempt } from "./activity.ts";
import { FailureRecord } from "./agents.ts";
import { idOutput, metadata, nullable, oneOf, timestamp } from "./common.ts";
import {
  budgetFields,
  FileChange,
  IncludedPart,
  MessageOutput,
  MessagePart,
  MessageRecord,
  messageStatus,
  tokenUsage,
  toolCallsCut,
} from "./messages.ts";
import { EndUser } from "./session-tokens.ts";
import { eventTypes, sessionStatuses, type EventType } from "../vocabulary.ts";

/** An object whose fields the platform does not define. */
export const openObject = Type.Unsafe<Record<string, unknown>>({ type: "object" });

const ofSession = {};
const ofMessage = { message_id: idOutput("message") };
const ofAttempt = { ...ofMessage, attempt_id: idOutput("attempt") };
/** A client's own write belongs to no message. */
const ofWorkspace = {
  message_id: Type.Optional(idOutput("message")),
  attempt_id: Type.Optional(idOutput("attempt")),
};

interface EventKind {
  /** When the platform appends it: a sentence for the documentation. */
  readonly when: string;
  readonly ids: Readonly<Record<string, TSchema>>;
  readonly data: TSchema;
}

/** Every type that the ledger stores. Each event has a sequence number. */
export const eventKinds = {
  "session.created": {
    when: "The session was created. First event of every session.",
    ids: ofSession,
    data: Type.Object({
      agent_id: idOutput("agent"),
      version_id: idOutput("version"),
      name: nullable(Type.String()),
      metadata,
      forked_from: Type.Optional(
        Type.Object({ session_id: idOutput("session"), message_id: nullable(idOutput("message")) }),
      ),
      imported_from: Type.Optional(Type.String({ description: "The session's id in the platform that exported it." })),
    }),
  },
  "session.status_changed": {
    when: "The session's status changed.",
    ids: ofSession,
    data: Type.Object({ status: oneOf(sessionStatuses) }),
  },
  "session.rolled_back": {
    when: "The session was rolled back to its state after message `message_id`.",
    ids: ofMessage,
    data: Type.Object({ snapshot_id: nullable(idOutput("snapshot")) }),
  },
  "user.message": {
    when: "A message was accepted. First event of every message.",
    ids: ofMessage,
    data: Type.Object({ parts: Type.Array(MessagePart), metadata }),
  },
  "message.status_changed": {
    when: "The message's status changed.",
    ids: ofMessage,
    data: Type.Object({ status: messageStatus }),
  },
  "message.steered": {
    when: "The attempt of message `into` took message `message_id`, which steers its turn.",
    ids: ofCopiedAttempt,
    data: Type.Object({ into: idOutput("message") }),
  },
  "attempt.started": {
    when: "A worker claimed the message and starts an attempt.",
    ids: ofAttempt,
    data: Type.Object({
      number: Type.Integer({ description: "Counts attempts from 1; an attempt that does not count is repeated." }),
    }),
  },
  "attempt.ended": {
    when: "The attempt ended. If it lost its worker, `error` says whether the turn is run again.",
    ids: ofAttempt,
    data: Type.Object({
      outcome: oneOf(attemptOutcomes),
      error: Type.Optional(FailureRecord),
      usage: Type.Optional(tokenUsage),
    }),
  },
  "assistant.message_completed": {
    when: "The agent answered.",
    ids: ofCopiedAttempt,
    data: Type.Object({ output: MessageOutput }),
  },
  ...activityKinds,
  "agent.events_omitted": {
    when: "The attempt had more events of model requests, tool calls and the like than are stored.",
    ids: ofCopiedAttempt,
    data: Type.Object({ count: Type.Integer({ minimum: 1, description: "How many were not stored, at least." }) }),
  },
  "agent.event": {
    when: "The agent called `emit`.",
    ids: ofCopiedAttempt,
    data: Type.Object({ name: Type.String({ description: "The first argument of `emit`." }), data: anyJson }),
  },
  "input.requested": {
    when: "The agent asked for input, or a limit asks to be raised. The message waits for the answer.",
    ids: ofCopiedAttempt,
    data: Type.Object({
      key: Type.String(),
      ...budgetFields,
      schema: Type.Unsafe<Record<string, unknown>>({ type: "object", description: "JSON Schema of the answer." }),
      prompt: nullable(Type.String()),
      expires_at: timestamp,
    }),
  },
  "input.submitted": {
    when: "The input was answered.",
    ids: ofMessage,
    data: Type.Object({ key: Type.String(), value: anyJson }),
  },
  "workspace.committed": {
    when: "The workspace has a new snapshot, made by a completed turn or by a client's write.",
    ids: ofWorkspace,
    data: Type.Object({
      snapshot_id: nullable(idOutput("snapshot")),
      files_changed: Type.Array(FileChange),
    }),
  },
  "workspace.restored_from_older": {
    when: "The newest snapshot is damaged; the attempt started from an older one.",
    ids: ofCopiedAttempt,
    data: Type.Object({
      snapshot_id: nullable(Type.String({ ...idOutput("snapshot"), description: "The snapshot that was restored." })),
      damaged_snapshot_id: idOutput("snapshot"),
      reason: Type.String(),
    }),
  },
  "message.completed": {
    when: "The message completed. Last event of the message.",
    ids: ofMessage,
    data: MessageRecord,
  },
  "message.failed": {
    when: "The message failed. Last event of the message.",
    ids: ofMessage,
    data: MessageRecord,
  },
  "message.cancelled": {
    when: "The message was cancelled. Last event of the message.",
    ids: ofMessage,
    data: MessageRecord,
  },
} as const satisfies Readonly<Record<EventType, EventKind>>;

type EventKinds = typeof eventKinds;

/** The payload of each type. */
export type EventData = { [T in EventType]: Static<EventKinds[T]["data"]> };

const eventHead = {
  id: idOutput("event"),
  sequence_number: Type.Integer({ description: "Position in the session's ledger, from 1, without gaps." }),
  session_id: idOutput("session"),
  created_at: timestamp,
};

type Head = Static<TObject<typeof eventHead>>;
type Ids<I extends Readonly<Record<string, TSchema>>> = Static<TObject<I>> & {
  [Name in Exclude<"message_id" | "attempt_id", keyof I>]?: never;
};

/** An event of a type that this release of the contract describes. Narrows by `type`. */
export type KnownEvent = {
  [T in EventType]: Head & Ids<EventKinds[T]["ids"]> & { type: T; data: EventData[T] };
}[EventType];

/**
 * A type that this release does not know. Every other string is one; it is declared as an enum because TypeScript
 * narrows a union only by types of a single value. Nothing of it exists at run time.
 */
declare enum UnknownType {
  text = "",
}
export type UnknownEventType = UnknownType.text;

/** An event of a type that a later platform added. Clients ignore it. */
export interface UnknownEvent extends Head {
  readonly type: UnknownEventType;
  readonly message_id?: string;
  readonly attempt_id?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type EventRecord = KnownEvent | UnknownEvent;

/** `attempt.ended` → `AttemptEnded` */
function pascal(type: string): string {
  return type.replace(/(?:^|[._])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function arm(type: string, when: string, fields: Readonly<Record<string, TSchema>>): TSchema {
  return Type.Object({ ...fields, type: oneOf([type]) }, { title: `${pascal(type)}Event`, description: when });
}

export function discriminatedUnion<T>(title: string, arms: readonly TSchema[]) {
  return Type.Unsafe<T>({
    title,
    type: "object",
    discriminator: { propertyName: "type" },
    required: ["type"],
    oneOf: arms,
  });
}

/** Any type but these. */
export function unknownType(known: readonly string[]) {
  return Type.Unsafe<UnknownEventType>({ type: "string", not: { enum: known } });
}

export const KnownEvent = discriminatedUnion<KnownEvent>(
  "KnownEvent",
  Object.entries<EventKind>(eventKinds).map(([type, { when, ids, data }]) =>
    arm(type, when, { ...eventHead, ...ids, data }),
  ),
);

const UnknownEvent = Type.Object(
  { ...eventHead, ...ofWorkspace, type: unknownType(eventTypes), data: openObject },
  { title: "UnknownEvent", description: "An event of a type that a later platform added. Ignore it." },
);

export const EventRecord = Type.Unsafe<EventRecord>({ title: "Event", anyOf: [KnownEvent, UnknownEvent] });

/** The last event of a message. Its payload is the message's record. */
export type MessageEndEvent = Extract<
  KnownEvent,
  { readonly type: "message.completed" | "message.failed" | "message.cancelled" }
>;

const ordinalOfRequest = Type.Integer({
  minimum: 1,
  description: "The `ordinal` of the model request that writes it. So each message of the model has its own.",
});

/** Types that only streams carry. They have no number and are never stored. */
export const previewKinds = {
  "assistant.text_delta": {
    when: "A piece of the answer, as the agent writes it.",
    ids: ofAttempt,
    data: Type.Object({
      text: Type.String(),
      offset: Type.Integer({ description: "Where the piece begins in the attempt's text, in UTF-16 units." }),
      ordinal: Type.Optional(ordinalOfRequest),
    }),
  },
  "reasoning.delta": {
    when: "A piece of the model's reasoning, or of its summary, if the SDK shows one.",
    ids: ofAttempt,
    data: Type.Object({ ordinal: ordinalOfRequest, text: Type.String() }),
  },
  "tool.arguments_delta": {
    when: "A piece of a tool call's arguments, as the model writes them. Joined, they are JSON.",
    ids: ofAttempt,
    data: Type.Object({
      call_id: Type.String({ description: "As in `tool.call_requested`." }),
      name: Type.String({ description: "As in `tool.call_requested`." }),
      text: Type.String(),
    }),
  },
  log: {
    when: "A piece of what the agent prints.",
    ids: ofAttempt,
    data: Type.Object({ stream: oneOf(["stdout", "stderr", "platform"]), text: Type.String() }),
  },
} as const satisfies Readonly<Record<Preview["type"], EventKind>>;

type PreviewKinds = typeof previewKinds;
export type PreviewEventType = keyof PreviewKinds;
export const previewEventTypes = Object.keys(previewKinds) as PreviewEventType[];

interface PreviewHead {
  readonly session_id: string;
  readonly message_id: string;
  readonly attempt_id: string;
}

/** A preview of a type that this release of the contract describes. Narrows by `type`. */
export type KnownPreview = {
  [T in PreviewEventType]: PreviewHead & { readonly type: T; readonly data: Static<PreviewKinds[T]["data"]> };
}[PreviewEventType];

/** What a stream sends between events: part of no list, at most once. */
export type PreviewEvent =
  KnownPreview | (PreviewHead & { readonly type: UnknownEventType; readonly data: Readonly<Record<string, unknown>> });

const previewHead = { session_id: eventHead.session_id, ...ofAttempt };

export const KnownPreview = discriminatedUnion<KnownPreview>(
  "KnownPreview",
  Object.entries<EventKind>(previewKinds).map(([type, { when, data }]) => arm(type, when, { ...previewHead, data })),
);

const UnknownPreview = Type.Object(
  { ...previewHead, type: unknownType(previewEventTypes), data: openObject },
  { title: "UnknownPreview", description: "A preview of a type that a later platform added. Ignore it." },
);

export type StreamedEvent = EventRecord | PreviewEvent;

/** What `data:` of a stream holds. */
export const StreamedEvent = Type.Unsafe<StreamedEvent>({
  title: "StreamItem",
  anyOf: [EventRecord, Type.Unsafe<PreviewEvent>({ title: "PreviewEvent", anyOf: [KnownPreview, UnknownPreview] })],
});

const entryHead = {
  sequence_number: Type.Integer({ description: "Sequence number of the event that the entry shows." }),
  created_at: timestamp,
  message_id: Type.Optional(idOutput("message")),
};

/** What a reader of the conversation sees, by `kind`. Clients ignore the kinds they do not know. */
export const TranscriptEntry = Type.Union(
  [
    Type.Object({
      ...entryHead,
      kind: oneOf(["user"]),
      parts: Type.Array(MessagePart),
      end_user: Type.Optional(EndUser),
    }),
    Type.Object({
      ...entryHead,
      kind: oneOf(["assistant"]),
      parts: Type.Array(IncludedPart),
      tool_calls_cut: toolCallsCut,
    }),
    Type.Object({ ...entryHead, kind: oneOf(["files"]), files_changed: Type.Array(FileChange) }),
    Type.Object({ ...entryHead, kind: oneOf(["failure"]), status: Type.String(), error: FailureRecord }),
    Type.Object({
      ...entryHead,
      kind: oneOf(["event"]),
      type: Type.String({ examples: ["agent.event"] }),
      data: openObject,
    }),
  ],
  { title: "TranscriptEntry" },
);
export type TranscriptEntry = Static<typeof TranscriptEntry>;
