// Batches: many sessions with a first message each, started by one call.

import { lanes, limits, messageMachine, onBusyChoices } from "@dari/domain";
import Type, { type Static } from "typebox";
import { FailureRecord } from "./agents.ts";
import { idInput, idOutput, metadata, name, nullable, oneOf, strict, timestamp } from "./common.ts";
import { laneInput, messageParts } from "./messages.ts";

export const batchStatuses = ["in_progress", "cancelling", "ended"] as const;
export type BatchStatus = (typeof batchStatuses)[number];

const BatchItem = Type.Object(
  {
    parts: messageParts,
    name: Type.Optional(name),
    metadata: Type.Optional(metadata),
  },
  strict,
);

export const CreateSessionBatchRequest = Type.Object(
  {
    agent_id: idInput("agent", ["dep"]),
    version_id: Type.Optional(idInput("version")),
    name: Type.Optional(name),
    metadata: Type.Optional(metadata),
    on_busy: Type.Optional(oneOf(onBusyChoices)),
    // `background` when absent.
    lane: Type.Optional(laneInput),
    max_concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.maxConcurrencyMax,
        description: "Turns of the batch at once at most.",
      }),
    ),
    sessions: Type.Array(BatchItem, {
      minItems: 1,
      maxItems: limits.batchSessionsMax,
      description: "A session each: its first message's parts, and the metadata of both.",
    }),
  },
  { ...strict, title: "CreateSessionBatchRequest" },
);
export type CreateSessionBatchRequest = Static<typeof CreateSessionBatchRequest>;

const summaryFields = {
  id: idOutput("sessionBatch"),
  agent_id: idOutput("agent"),
  name: nullable(Type.String()),
  metadata,
  lane: oneOf(lanes),
  max_concurrency: nullable(Type.Integer({ description: "Turns of the batch at once at most." })),
  total: Type.Integer({ description: "Sessions that were started." }),
  created_at: timestamp,
  cancel_requested_at: nullable(timestamp),
};

/** In lists: what came of it costs a look at each of its messages. */
export const SessionBatchSummary = Type.Object(summaryFields, { title: "SessionBatchSummary" });
export type SessionBatchSummary = Static<typeof SessionBatchSummary>;

const count = Type.Integer();

export const SessionBatchRecord = Type.Object(
  {
    ...summaryFields,
    status: oneOf(batchStatuses),
    counts: Type.Object(
      {
        queued: count,
        running: count,
        waiting_for_input: count,
        completed: count,
        failed: count,
        cancelled: count,
        deleted: count,
      },
      { description: "First messages by status; `deleted`: with their session." },
    ),
    finished_at: nullable(Type.String({ ...timestamp, description: "When the last of them ended." })),
  },
  { title: "SessionBatch" },
);
export type SessionBatchRecord = Static<typeof SessionBatchRecord>;

export const BatchSessionRecord = Type.Object(
  {
    index: Type.Integer({ description: "Its place in the call, from 0 on." }),
    session_id: idOutput("session"),
    message_id: idOutput("message"),
    name: nullable(Type.String()),
    message_status: nullable(
      Type.Unsafe<(typeof messageMachine.states)[number]>({
        ...oneOf(messageMachine.states),
        description: "Null: deleted with its session.",
      }),
    ),
    error: nullable(FailureRecord),
  },
  { title: "BatchSession" },
);
export type BatchSessionRecord = Static<typeof BatchSessionRecord>;
