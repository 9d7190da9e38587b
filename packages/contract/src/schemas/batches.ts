// Batches: many sessions, each with a first message, started by one request.

import { lanes, limits, messageMachine, onBusyChoices } from "@dari/domain";
import Type, { type Static } from "typebox";
import { FailureRecord } from "./agents.ts";
import { agentInput, idInput, idOutput, metadata, name, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { laneInput, messageParts } from "./messages.ts";
import { sessionSecrets } from "./sessions.ts";

export const batchStatuses = ["in_progress", "cancelling", "ended"] as const;
export type BatchStatus = (typeof batchStatuses)[number];

const BatchItem = Type.Object(
  {
    parts: messageParts,
    name: Type.Optional(name),
    metadata: Type.Optional(metadata),
    secrets: Type.Optional(sessionSecrets),
  },
  noOtherFields,
);

const OwnBatch = Type.Object(
  {
    agent_id: agentInput,
    version_id: Type.Optional(idInput("version")),
    name: Type.Optional(name),
    metadata: Type.Optional(metadata),
    on_busy: Type.Optional(oneOf(onBusyChoices)),
    lane: Type.Optional(laneInput("background")),
    max_concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.maxConcurrencyMax,
        description: "Maximum number of concurrent turns of the batch. Default: no limit.",
      }),
    ),
    sessions: Type.Array(BatchItem, {
      minItems: 1,
      maxItems: limits.batchSessionsMax,
      description: "One session per entry: the parts of its first message, and metadata for both.",
    }),
  },
  noOtherFields,
);

/** An item in the form of the hosted service's later clients. */
const HostedItem = Type.Object(
  {
    agent_id: agentInput,
    version_id: Type.Optional(idInput("version")),
    llm_id: Type.Optional(
      Type.String({ maxLength: limits.nameChars, description: "Not accepted: the agent's code chooses its model." }),
    ),
    metadata: Type.Optional(metadata),
    secrets: Type.Optional(sessionSecrets),
    message: Type.Object({ content: messageParts }, noOtherFields),
  },
  noOtherFields,
);

const hostedFields = {
  idempotency_key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: limits.idempotencyKeyChars,
      description: "Same as the `Idempotency-Key` header.",
    }),
  ),
  items: Type.Array(HostedItem, {
    minItems: 1,
    maxItems: limits.batchSessionsMax,
    description:
      "The hosted service's form, instead of `agent_id` and `sessions`. All items name the same agent and version.",
  }),
};

type OwnBatch = Static<typeof OwnBatch> & { readonly idempotency_key?: string };
const { agent_id: _agent, version_id: _version, sessions: _sessions, ...common } = OwnBatch.properties;
const HostedBatch = Type.Object({ ...common, ...hostedFields }, noOtherFields);

const { items, idempotency_key } = hostedFields;

/** One object for both forms, so that errors name fields of the form in use: `items` selects the hosted service's. */
export const CreateSessionBatchRequest = Type.Unsafe<OwnBatch | Static<typeof HostedBatch>>({
  title: "CreateSessionBatchRequest",
  type: "object",
  ...noOtherFields,
  properties: { ...OwnBatch.properties, idempotency_key, items },
  if: { required: ["items"] },
  then: { properties: { agent_id: false, version_id: false, sessions: false } },
  else: { required: ["agent_id", "sessions"] },
});
export type CreateSessionBatchRequest = Static<typeof CreateSessionBatchRequest>;

const summaryFields = {
  id: idOutput("sessionBatch"),
  agent_id: idOutput("agent"),
  name: nullable(Type.String()),
  metadata,
  lane: oneOf(lanes),
  max_concurrency: nullable(
    Type.Integer({ description: "Maximum number of concurrent turns of the batch. Null: no limit." }),
  ),
  total: Type.Integer({ description: "Sessions that the batch started." }),
  created_at: timestamp,
  cancel_requested_at: nullable(timestamp),
  status: Type.Unsafe<BatchStatus>({
    ...oneOf(batchStatuses),
    description: "`ended`: every first message has ended or is deleted.",
  }),
};

/** Without counts: counting reads each of the batch's messages. */
export const SessionBatchSummary = Type.Object(summaryFields, { title: "SessionBatchSummary" });
export type SessionBatchSummary = Static<typeof SessionBatchSummary>;

const count = Type.Integer();

export const SessionBatchRecord = Type.Object(
  {
    ...summaryFields,
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
      { description: "Number of first messages by status. `deleted` counts messages of deleted sessions." },
    ),
    finished_at: nullable(
      Type.String({ ...timestamp, description: "When the last first message ended. Null: one is still open." }),
    ),
  },
  { title: "SessionBatch" },
);
export type SessionBatchRecord = Static<typeof SessionBatchRecord>;

const HostedSession = Type.Object(
  {
    index: Type.Integer(),
    session_id: idOutput("session"),
    message_id: idOutput("message"),
    status: nullable(Type.String({ description: "Same as `last_message_status`." })),
    last_message_status: nullable(oneOf(messageMachine.states)),
    agent_id: idOutput("agent"),
    version_id: nullable(idOutput("version")),
    llm_id: Type.Null(),
    metadata,
    transcript_url: Type.String(),
    error: nullable(Type.String()),
  },
  { title: "HostedBatchSession" },
);

export const SessionBatchCreated = Type.Object(
  {
    ...SessionBatchRecord.properties,
    batch_id: Type.Optional(Type.String({ description: "Same as `id`. Present if the request used `items`." })),
    sessions: Type.Optional(
      Type.Array(HostedSession, {
        description: "The sessions in the order of `items`. Present if the request used `items`.",
      }),
    ),
  },
  { title: "SessionBatchCreated" },
);
export type SessionBatchCreated = Static<typeof SessionBatchCreated>;

export const BatchSessionRecord = Type.Object(
  {
    index: Type.Integer({ description: "Position in the request, from 0." }),
    session_id: idOutput("session"),
    message_id: idOutput("message"),
    name: nullable(Type.String()),
    message_status: nullable(
      Type.Unsafe<(typeof messageMachine.states)[number]>({
        ...oneOf(messageMachine.states),
        description: "Null: its session is deleted.",
      }),
    ),
    error: nullable(FailureRecord),
    newest_message_id: Type.String({ ...idOutput("message"), description: "The first message, or its newest retry." }),
    newest_status: nullable(
      Type.Unsafe<(typeof messageMachine.states)[number]>({
        ...oneOf(messageMachine.states),
        description: "Status of that message. Null: its session is deleted.",
      }),
    ),
    prompt: nullable(
      Type.String({ description: `Text of that message, at most ${limits.summaryTextChars} characters.` }),
    ),
    answer: nullable(Type.String({ description: "Text of its answer, shortened in the same way." })),
    duration_ms: nullable(Type.Integer({ description: "From the start of its first attempt to its end." })),
  },
  { title: "BatchSession" },
);
export type BatchSessionRecord = Static<typeof BatchSessionRecord>;

/** One line of a batch's results. */
export const BatchResult = Type.Object(
  {
    index: Type.Integer({ description: "Position in the request, from 0." }),
    session_id: idOutput("session"),
    message_id: Type.String({ ...idOutput("message"), description: "The first message, or its newest retry." }),
    name: nullable(Type.String()),
    metadata: nullable(metadata),
    prompt: nullable(Type.String({ description: "The texts of the message, joined by line breaks." })),
    status: nullable(
      Type.Unsafe<(typeof messageMachine.states)[number]>({
        ...oneOf(messageMachine.states),
        description: "Null: the session is deleted.",
      }),
    ),
    answer: nullable(Type.String({ description: "The texts of the answer, joined by line breaks." })),
    files: Type.Array(Type.String(), { description: "Paths of files in the answer." }),
    error: nullable(FailureRecord),
    attempts: Type.Integer(),
    duration_ms: nullable(Type.Integer({ description: "From the start of the first attempt to the end." })),
  },
  { title: "BatchResult" },
);
export type BatchResult = Static<typeof BatchResult>;
