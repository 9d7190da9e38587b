// The records inside an exported session. docs/session-export.md describes the file.

import { limits, onBusyChoices } from "@dari/domain";
import Type, { type Static, type TSchema } from "typebox";
import { idInput, metadata, name, nullable, oneOf, sha256, noOtherFields, timestamp } from "./common.ts";
import { eventKinds } from "./events.ts";
import { FileChange, MessageOutput, MessagePart } from "./messages.ts";
import { activityTypes } from "../vocabulary.ts";

export const portableFormat = "dari.session";
export const portableFormatVersion = 1;

/** `session.json`, the first file of the archive. */
export const PortableSession = Type.Object(
  {
    format: Type.Literal(portableFormat),
    format_version: Type.Literal(portableFormatVersion),
    session: Type.Object(
      {
        id: idInput("session"),
        name: nullable(name),
        metadata,
        on_busy: oneOf(onBusyChoices),
        internet_access: Type.Optional(
          Type.Boolean({ description: "The value at the session's creation. Absent: none was given." }),
        ),
        created_at: timestamp,
      },
      noOtherFields,
    ),
    version: Type.Object(
      { id: idInput("version"), number: Type.Integer(), bundle_sha256: sha256, bundle_size_bytes: Type.Integer() },
      noOtherFields,
    ),
    workspace: Type.Object({ tree_hash: sha256 }, noOtherFields),
  },
  { ...noOtherFields, title: "PortableSession" },
);
export type PortableSession = Static<typeof PortableSession>;

const path = Type.String({ maxLength: limits.workspacePathBytes });

/** A line of `uploads.jsonl`: an uploaded file's place in the workspace, and which archive file has its bytes. */
export const PortableInput = Type.Object(
  {
    /** Number of the message that named it, from 1. */
    message: Type.Integer({ minimum: 1 }),
    path,
    upload: Type.Integer({ minimum: 1 }),
    file_id: idInput("file"),
    filename: Type.String({ minLength: 1, "x-max-bytes": limits.filenameBytes }),
    content_type: Type.String({ maxLength: 256 }),
    size_bytes: Type.Integer({ minimum: 0 }),
    sha256,
  },
  { ...noOtherFields, title: "PortableInput" },
);
export type PortableInput = Static<typeof PortableInput>;

/** A lost worker adds one attempt to those of the manifest. */
const attemptsMax = limits.maxAttemptsMax + 1;

const milliseconds = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** A line of `conversation/messages-*.jsonl`: an ended message. The first line is message 1. */
export const PortableMessage = Type.Object(
  {
    id: idInput("message"),
    status: oneOf(["completed", "failed", "cancelled"]),
    parts: Type.Array(MessagePart, { minItems: 1, maxItems: limits.mergedPartsMax }),
    metadata,
    output: nullable(MessageOutput),
    files_changed: Type.Array(FileChange),
    attempts: Type.Integer({ minimum: 0, maximum: attemptsMax }),
    max_attempts: Type.Integer({ minimum: 1, maximum: attemptsMax }),
    timings: Type.Record(Type.String(), Type.Number(milliseconds)),
    created_at: timestamp,
    started_at: nullable(timestamp),
    completed_at: timestamp,
    retry_of: Type.Optional(idInput("message")),
    interrupted_by: Type.Optional(idInput("message")),
    delivered_in: Type.Optional(idInput("message")),
    at_head: Type.Boolean({ description: "True: the exported workspace is the one after this message." }),
  },
  { ...noOtherFields, title: "PortableMessage" },
);
export type PortableMessage = Static<typeof PortableMessage>;

/** Events whose payload the message's record contains. */
export const eventsWithoutPayload = [
  "user.message",
  "assistant.message_completed",
  "workspace.committed",
  "message.completed",
  "message.failed",
  "message.cancelled",
] as const;

/** Events whose payload is only in the ledger. */
export const eventsWithPayload = [
  "agent.event",
  "agent.events_omitted",
  ...activityTypes,
  "input.requested",
  "input.submitted",
  "message.steered",
] as const;

const eventHead = { message: Type.Integer({ minimum: 1 }), created_at: timestamp };

/** A line of `conversation/ledger-*.jsonl`: an event of a message, in the ledger's order. */
export const PortableEvent: TSchema = Type.Unsafe<PortableEvent>({
  title: "PortableEvent",
  type: "object",
  discriminator: { propertyName: "type" },
  required: ["type"],
  oneOf: [
    Type.Object({ ...eventHead, type: oneOf(eventsWithoutPayload) }, noOtherFields),
    // Once imported, they are events like any other, so their payloads have the same schemas.
    ...eventsWithPayload.map((type) =>
      Type.Object(
        {
          ...eventHead,
          attempt_id: Type.Optional(idInput("attempt")),
          type: oneOf([type]),
          data: eventKinds[type].data,
        },
        noOtherFields,
      ),
    ),
  ],
});

export interface PortableEvent {
  readonly type: (typeof eventsWithoutPayload)[number] | (typeof eventsWithPayload)[number];
  readonly message: number;
  readonly created_at: string;
  /** The attempt in which it happened. Ids of calls are unique only within an attempt. */
  readonly attempt_id?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}
