// An organization as a whole, and the installation: limits, audit log, health, bulk retries.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { limitInput, agentInput, idInput, idOutput, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { laneInput } from "./messages.ts";
import { limitMeanings } from "./organizations.ts";

export const UpdateOrganizationRequest = Type.Object(
  {
    weight: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.organizationWeightMax,
        description: limitMeanings.weight,
      }),
    ),
    max_concurrency: Type.Optional(limitInput(limits.organizationConcurrencyMax, limitMeanings.max_concurrency)),
    max_backlog: Type.Optional(limitInput(limits.organizationBacklogMax, limitMeanings.max_backlog)),
    max_workspace_bytes: Type.Optional(limitInput(limits.workspaceBytes, limitMeanings.max_workspace_bytes)),
    max_workspace_files: Type.Optional(limitInput(limits.workspaceFiles, limitMeanings.max_workspace_files)),
    max_workspace_file_bytes: Type.Optional(
      limitInput(limits.workspaceFileBytes, limitMeanings.max_workspace_file_bytes),
    ),
    session_retention_days: Type.Optional(
      limitInput(limits.organizationRetentionDaysMax, limitMeanings.session_retention_days),
    ),
    max_requests_per_minute: Type.Optional(
      limitInput(limits.organizationRateMax, limitMeanings.max_requests_per_minute),
    ),
    max_messages_per_minute: Type.Optional(
      limitInput(limits.organizationRateMax, limitMeanings.max_messages_per_minute),
    ),
    max_upload_bytes_per_hour: Type.Optional(
      limitInput(limits.organizationUploadBytesMax, limitMeanings.max_upload_bytes_per_hour),
    ),
    max_storage_bytes: Type.Optional(limitInput(limits.organizationStorageBytesMax, limitMeanings.max_storage_bytes)),
    max_files: Type.Optional(limitInput(limits.organizationKeptMax, limitMeanings.max_files)),
    max_agents: Type.Optional(limitInput(limits.organizationKeptMax, limitMeanings.max_agents)),
    max_sessions: Type.Optional(limitInput(limits.organizationKeptMax, limitMeanings.max_sessions)),
    max_api_keys: Type.Optional(limitInput(limits.organizationKeptMax, limitMeanings.max_api_keys)),
    max_turn_memory_bytes: Type.Optional(
      limitInput(limits.turnMemoryBytesMax, limitMeanings.max_turn_memory_bytes, limits.turnMemoryBytesMin),
    ),
    max_turn_cpus: Type.Optional(
      Type.Unsafe<number | null>({
        type: ["number", "null"],
        minimum: limits.turnCpusMin,
        maximum: limits.turnCpusMax,
        description: limitMeanings.max_turn_cpus,
      }),
    ),
  },
  { ...noOtherFields, minProperties: 1, title: "UpdateOrganizationRequest" },
);
export type UpdateOrganizationRequest = Static<typeof UpdateOrganizationRequest>;

/** Every change that the audit log records. */
export const auditActions = [
  "organization.create",
  "organization.update",
  "organization.delete",
  "invitation.create",
  "invitation.accept",
  "invitation.delete",
  "member.update",
  "member.remove",
  "member.link",
  "member.sign_in",
  "member.sign_out",
  "api_key.sign_in",
  "api_key.sign_out",
  "device.approve",
  "device.deny",
  "app.approve",
  "app.end",
  "api_key.create",
  "api_key.revoke",
  "credential.put",
  "credential.delete",
  "egress.put",
  "egress.delete",
  "answer_recording.put",
  "allowed_origins.put",
  "webhook.create",
  "webhook.update",
  "webhook.delete",
  "webhook.rotate_secret",
  "webhook.test",
  "webhook.resend",
  "webhook.disable",
  "agent.create",
  "agent.update",
  "agent.delete",
  "version.publish",
  "version.activate",
  "secrets.reseal",
  "budget.put",
  "budget.delete",
  "platform.stop",
  "platform.resume",
  "prices.put",
  "schedule.create",
  "schedule.update",
  "schedule.delete",
  "schedule.pause",
  "trigger.create",
  "trigger.update",
  "trigger.delete",
  "trigger.rotate_secret",
  "session_batch.cancel",
  "session.delete",
  "session.revoke_tokens",
  "message.answer",
  "message.cancel",
  "message.promote",
  "message.retry",
  "message.retry_many",
  "message.replay",
] as const;
export type AuditAction = (typeof auditActions)[number];

export const AuditEntry = Type.Object(
  {
    id: idOutput("auditEntry"),
    action: oneOf(auditActions),
    actor_key_id: nullable(
      Type.String({
        description: "Key of this organization or of an operator. Null: the installation made the change.",
      }),
    ),
    actor_member_id: nullable(
      Type.String({ description: "Member who made the change, signed in or with a device's key." }),
    ),
    target: Type.String({ description: "Id of the changed resource." }),
    details: Type.Record(Type.String(), Type.Unknown()),
    request_id: nullable(Type.String()),
    created_at: timestamp,
  },
  { title: "AuditEntry" },
);
export type AuditEntry = Static<typeof AuditEntry>;

export const HealthCheck = Type.Object(
  {
    name: Type.String({ examples: ["workers"] }),
    ok: Type.Boolean(),
    found: Type.String({ description: "What the check found, for people." }),
    what_to_do: nullable(Type.String()),
  },
  { title: "HealthCheck" },
);
export type HealthCheck = Static<typeof HealthCheck>;

export const OperatorHealth = Type.Object(
  {
    ok: Type.Boolean({ description: "True if every check is ok." }),
    release: Type.String(),
    checks: Type.Array(HealthCheck),
    workers: Type.Array(
      Type.Object({
        id: idOutput("worker"),
        pool: Type.String(),
        slots: Type.Integer(),
        draining: Type.Boolean(),
        seen_ms_ago: Type.Integer(),
      }),
    ),
    violations: Type.Array(
      Type.Object({ invariant: Type.String(), says: Type.String(), rows: Type.Array(Type.String()) }),
      { description: "Rows that break an invariant; at most 20 per invariant." },
    ),
  },
  { title: "OperatorHealth" },
);
export type OperatorHealth = Static<typeof OperatorHealth>;

export const StoreProblem = Type.Object(
  {
    key: Type.String({ description: "Key in the object store." }),
    what: oneOf(["snapshot", "content", "file", "bundle", "image"]),
    problem: oneOf(["missing", "damaged"]),
    detail: Type.String(),
  },
  { title: "StoreProblem" },
);
export type StoreProblem = Static<typeof StoreProblem>;

export const StoreCheck = Type.Object(
  {
    checked: Type.Integer({ description: "Number of objects checked in this step." }),
    problems: Type.Array(StoreProblem),
    next: nullable(Type.String({ description: "`after` for the next request. Null: all objects are checked." })),
  },
  { title: "StoreCheck" },
);
export type StoreCheck = Static<typeof StoreCheck>;

export const ResealRequest = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 300,
        description: "`next` of the previous reply. Absent: start at the beginning.",
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.resealMax,
        description: `Secrets per step (default ${limits.resealDefault}).`,
      }),
    ),
  },
  { ...noOtherFields, title: "ResealRequest" },
);
export type ResealRequest = Static<typeof ResealRequest>;

export const Resealed = Type.Object(
  {
    key_id: Type.String({ description: "Id of the current master key." }),
    resealed: Type.Integer({ description: "Secrets that this request encrypted with the current key." }),
    unopened: Type.Array(Type.Object({ organization_id: Type.String(), name: Type.String(), reason: Type.String() }), {
      description: "Secrets that no master key of this installation decrypts.",
    }),
    next: nullable(Type.String({ description: "`after` for the next request. Null: all secrets are done." })),
  },
  { title: "Resealed" },
);
export type Resealed = Static<typeof Resealed>;

const FailedFilter = Type.Object(
  {
    organization_id: Type.Optional(
      Type.String({
        pattern: "^(org_|all$)",
        maxLength: 64,
        "x-expected": "an id that starts with 'org_', or 'all'",
        description: "Default: the key's own organization. Only operators can name another one or `all`.",
      }),
    ),
    agent_id: Type.Optional(agentInput),
    session_id: Type.Optional(idInput("session")),
    session_batch_id: Type.Optional(
      Type.String({ ...idInput("sessionBatch"), description: "First messages of this batch, and their retries." }),
    ),
    error_code: Type.Optional(Type.String({ minLength: 1, maxLength: limits.nameChars, examples: ["worker_lost"] })),
    failed_after: Type.Optional(Type.String({ format: "date-time" })),
    failed_before: Type.Optional(Type.String({ format: "date-time" })),
  },
  noOtherFields,
);

export const RetryMessagesRequest = Type.Object(
  {
    filter: FailedFilter,
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.bulkRetryMax,
        description: `Failed messages to examine (default ${limits.bulkRetryDefault}).`,
      }),
    ),
    after: Type.Optional(Type.String({ ...idInput("message"), description: "`next` of the previous reply." })),
    force: Type.Optional(
      Type.Boolean({ description: "Also retry messages that were retried before (default false)." }),
    ),
    lane: Type.Optional(laneInput("background")),
    dry_run: Type.Optional(
      Type.Boolean({ description: "Return what would be retried, and retry nothing (default false)." }),
    ),
  },
  { ...noOtherFields, title: "RetryMessagesRequest" },
);
export type RetryMessagesRequest = Static<typeof RetryMessagesRequest>;

/** Why a failed message was not retried. */
export const skipReasons = [
  "already_retried",
  "backlog_full",
  "session_ended",
  "version_failed",
  "file_deleted",
  "not_possible",
] as const;
export type SkipReason = (typeof skipReasons)[number];

export const MessagesRetried = Type.Object(
  {
    matched: Type.Integer({ description: "Number of messages that match: retried and skipped ones." }),
    retried: Type.Array(
      Type.Object({
        message_id: idOutput("message"),
        retry_message_id: nullable(Type.String({ description: "Id of the new message. Null in a dry run." })),
      }),
    ),
    skipped: Type.Array(Type.Object({ message_id: idOutput("message"), reason: oneOf(skipReasons) })),
    has_more: Type.Boolean(),
    next: nullable(Type.String({ description: "`after` for the next request. Null: no more messages." })),
    dry_run: Type.Boolean(),
  },
  { title: "MessagesRetried" },
);
export type MessagesRetried = Static<typeof MessagesRetried>;
