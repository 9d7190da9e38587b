// What concerns an organization as a whole, or the installation: limits, the record of changes, health, bulk retries.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { bound, idInput, idOutput, nullable, oneOf, strict, timestamp } from "./common.ts";
import { laneInput } from "./messages.ts";

export const UpdateOrganizationRequest = Type.Object(
  {
    weight: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.organizationWeightMax,
        description: "Its share of the fleet beside other organizations that wait.",
      }),
    ),
    max_concurrency: Type.Optional(
      bound(limits.organizationConcurrencyMax, "Turns at once; null: the platform's default."),
    ),
    max_backlog: Type.Optional(
      bound(limits.organizationBacklogMax, "Messages that wait or run; null: the platform's default."),
    ),
    max_workspace_bytes: Type.Optional(
      bound(limits.workspaceBytes, "Of a workspace; null: the platform's default, the most there is."),
    ),
    max_workspace_files: Type.Optional(
      bound(limits.workspaceFiles, "Files and directories of a workspace; null: the platform's default."),
    ),
    max_workspace_file_bytes: Type.Optional(
      bound(limits.workspaceFileBytes, "Of one file of a workspace; null: the platform's default."),
    ),
    session_retention_days: Type.Optional(
      bound(
        limits.organizationRetentionDaysMax,
        "Days without a message or a write after which a session expires; it is deleted a week later. Null: never.",
      ),
    ),
    max_requests_per_minute: Type.Optional(
      bound(limits.organizationRateMax, "Of all keys together; null: the platform's default."),
    ),
    max_messages_per_minute: Type.Optional(
      bound(limits.organizationRateMax, "Sent by all keys together; null: the platform's default."),
    ),
    max_upload_bytes_per_hour: Type.Optional(
      bound(limits.organizationUploadBytesMax, "Of all keys together; null: the platform's default."),
    ),
    max_storage_bytes: Type.Optional(
      bound(limits.organizationStorageBytesMax, "Of uploaded files and bundles together; null: no bound."),
    ),
    max_files: Type.Optional(bound(limits.organizationKeptMax, "Uploaded files that are kept; null: no bound.")),
    max_agents: Type.Optional(bound(limits.organizationKeptMax, "Agents that are kept; null: no bound.")),
    max_sessions: Type.Optional(
      bound(limits.organizationKeptMax, "Sessions that are kept, ended ones included; null: no bound."),
    ),
    max_api_keys: Type.Optional(bound(limits.organizationKeptMax, "Keys that may be used; null: no bound.")),
  },
  { ...strict, minProperties: 1, title: "UpdateOrganizationRequest" },
);
export type UpdateOrganizationRequest = Static<typeof UpdateOrganizationRequest>;

/** Every change that is recorded. */
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
  "device.approve",
  "device.deny",
  "api_key.create",
  "api_key.revoke",
  "credential.put",
  "credential.delete",
  "egress.put",
  "egress.delete",
  "webhook.create",
  "webhook.update",
  "webhook.delete",
  "webhook.rotate_secret",
  "webhook.test",
  "webhook.resend",
  "webhook.disable",
  "agent.create",
  "agent.delete",
  "version.publish",
  "version.activate",
  "secrets.reseal",
  "budget.put",
  "budget.delete",
  "platform.stop",
  "platform.resume",
  "schedule.create",
  "schedule.update",
  "schedule.delete",
  "schedule.pause",
  "session_batch.cancel",
  "session.delete",
  "message.answer",
  "message.cancel",
  "message.promote",
  "message.retry",
  "message.retry_many",
] as const;
export type AuditAction = (typeof auditActions)[number];

export const AuditEntry = Type.Object(
  {
    id: idOutput("auditEntry"),
    action: oneOf(auditActions),
    actor_key_id: nullable(
      Type.String({ description: "Of this organization or of an operator's; null: the installation's own set-up." }),
    ),
    actor_member_id: nullable(Type.String({ description: "The person, by a sign-in or by a device's key." })),
    target: Type.String({ description: "The id of what was changed." }),
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
    found: Type.String({ description: "What there is, for a person." }),
    what_to_do: nullable(Type.String()),
  },
  { title: "HealthCheck" },
);
export type HealthCheck = Static<typeof HealthCheck>;

export const OperatorHealth = Type.Object(
  {
    ok: Type.Boolean({ description: "True when every check is." }),
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
      { description: "Rows that contradict what must always hold; at most 20 of each invariant." },
    ),
  },
  { title: "OperatorHealth" },
);
export type OperatorHealth = Static<typeof OperatorHealth>;

export const StoreProblem = Type.Object(
  {
    key: Type.String({ description: "In the object store." }),
    what: oneOf(["snapshot", "content", "file", "bundle", "image"]),
    problem: oneOf(["missing", "damaged"]),
    detail: Type.String(),
  },
  { title: "StoreProblem" },
);
export type StoreProblem = Static<typeof StoreProblem>;

export const StoreCheck = Type.Object(
  {
    checked: Type.Integer({ description: "Objects that rows name." }),
    problems: Type.Array(StoreProblem),
    next: nullable(Type.String({ description: "The `after` of the next call; null: all are checked." })),
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
        description: "The `next` of the reply before; absent: from the start.",
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.resealMax,
        description: `Secrets of one step; ${limits.resealDefault} when absent.`,
      }),
    ),
  },
  { ...strict, title: "ResealRequest" },
);
export type ResealRequest = Static<typeof ResealRequest>;

export const Resealed = Type.Object(
  {
    key_id: Type.String({ description: "Of the current master key." }),
    resealed: Type.Integer({ description: "Secrets that are under the current key since this call." }),
    unopened: Type.Array(Type.Object({ organization_id: Type.String(), name: Type.String(), reason: Type.String() }), {
      description: "Secrets that no key of this installation opens.",
    }),
    next: nullable(Type.String({ description: "The `after` of the next call; null: all were looked at." })),
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
        description: "The key's own when absent; others, and `all`, are for operators.",
      }),
    ),
    agent_id: Type.Optional(idInput("agent", ["dep"])),
    session_id: Type.Optional(idInput("session")),
    error_code: Type.Optional(Type.String({ minLength: 1, maxLength: limits.nameChars, examples: ["worker_lost"] })),
    failed_after: Type.Optional(Type.String({ format: "date-time" })),
    failed_before: Type.Optional(Type.String({ format: "date-time" })),
  },
  strict,
);

export const RetryMessagesRequest = Type.Object(
  {
    filter: FailedFilter,
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: limits.bulkRetryMax,
        description: `Failed messages looked at; ${limits.bulkRetryDefault} when absent.`,
      }),
    ),
    after: Type.Optional(Type.String({ ...idInput("message"), description: "The `next` of the reply before." })),
    force: Type.Optional(Type.Boolean({ description: "Also those that have been retried." })),
    lane: Type.Optional(laneInput("background")),
    dry_run: Type.Optional(Type.Boolean({ description: "Only says what would be retried." })),
  },
  { ...strict, title: "RetryMessagesRequest" },
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
    matched: Type.Integer({ description: "Retried and skipped ones together." }),
    retried: Type.Array(
      Type.Object({
        message_id: idOutput("message"),
        retry_message_id: nullable(Type.String({ description: "Null in a dry run." })),
      }),
    ),
    skipped: Type.Array(Type.Object({ message_id: idOutput("message"), reason: oneOf(skipReasons) })),
    has_more: Type.Boolean(),
    next: nullable(Type.String({ description: "The `after` of the next call." })),
    dry_run: Type.Boolean(),
  },
  { title: "MessagesRetried" },
);
export type MessagesRetried = Static<typeof MessagesRetried>;
