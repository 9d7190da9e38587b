// All SQL of the platform. Queries are grouped by the table or the subject that they serve.

import * as answerRecording from "./queries/tenants/answer-recording.ts";
import * as allowedOrigins from "./queries/tenants/allowed-origins.ts";
import * as agents from "./queries/publishing/agents.ts";
import * as apiKeys from "./queries/tenants/api-keys.ts";
import * as attemptLogs from "./queries/turns/attempt-logs.ts";
import * as auditEntries from "./queries/tenants/audit-entries.ts";
import * as budgets from "./queries/tenants/budgets.ts";
import * as egressSettings from "./queries/tenants/egress-settings.ts";
import * as buildLogs from "./queries/publishing/build-logs.ts";
import * as credentials from "./queries/tenants/credentials.ts";
import * as events from "./queries/outbound/events.ts";
import * as failedMessages from "./queries/turns/failed-messages.ts";
import * as fleet from "./queries/operations/fleet.ts";
import * as files from "./queries/storage/files.ts";
import * as heads from "./queries/storage/heads.ts";
import * as health from "./queries/operations/health.ts";
import * as idempotencyKeys from "./queries/context/idempotency-keys.ts";
import * as invitations from "./queries/tenants/invitations.ts";
import * as members from "./queries/tenants/members.ts";
import * as messageInputs from "./queries/turns/message-inputs.ts";
import * as messageSteps from "./queries/turns/message-steps.ts";
import * as messageValues from "./queries/storage/message-values.ts";
import * as modelPrices from "./queries/tenants/model-prices.ts";
import * as recordedAnswers from "./queries/storage/recorded-answers.ts";
import * as modelRequests from "./queries/turns/model-requests.ts";
import * as messages from "./queries/turns/messages.ts";
import * as objects from "./queries/storage/objects.ts";
import * as organizations from "./queries/tenants/organizations.ts";
import * as purges from "./queries/storage/purge-deleted.ts";
import * as rateWindows from "./queries/tenants/rate-windows.ts";
import * as recordings from "./queries/storage/recordings.ts";
import * as retention from "./queries/storage/retention.ts";
import * as scheduleFirings from "./queries/automation/schedule-firings.ts";
import * as schedules from "./queries/automation/schedules.ts";
import * as sealedValues from "./queries/tenants/sealed-values.ts";
import * as sessionBatches from "./queries/automation/session-batches.ts";
import * as sessionExports from "./queries/outbound/session-exports.ts";
import * as sessionImports from "./queries/outbound/session-imports.ts";
import * as sessionSummaries from "./queries/turns/session-summaries.ts";
import * as sessionTokens from "./queries/tenants/session-tokens.ts";
import * as sessions from "./queries/turns/sessions.ts";
import * as sourceSnapshots from "./queries/publishing/source-snapshots.ts";
import * as overview from "./queries/operations/overview.ts";
import * as connectedApps from "./queries/tenants/connected-apps.ts";
import * as conversationDigests from "./queries/turns/conversation-digests.ts";
import * as toolCalls from "./queries/turns/tool-calls.ts";
import * as usage from "./queries/tenants/usage.ts";
import * as versions from "./queries/publishing/versions.ts";
import * as builds from "./queries/publishing/builds.ts";
import * as dependencyLayers from "./queries/publishing/dependency-layers.ts";
import * as dispatch from "./queries/turns/dispatch.ts";
import * as deviceRequests from "./queries/tenants/device-requests.ts";
import * as signInTries from "./queries/tenants/sign-in-tries.ts";
import * as signIns from "./queries/tenants/sign-ins.ts";
import * as sideSnapshots from "./queries/storage/side-snapshots.ts";
import * as snapshots from "./queries/storage/snapshots.ts";
import * as squashes from "./queries/storage/squashes.ts";
import * as takeovers from "./queries/turns/worker-by-pid.ts";
import * as readiness from "./queries/context/readiness.ts";
import * as triggers from "./queries/automation/triggers.ts";
import * as turnDetails from "./queries/turns/turn-details.ts";
import * as steering from "./queries/turns/steering.ts";
import * as turnJobs from "./queries/turns/turn-jobs.ts";
import * as turns from "./queries/turns/turns.ts";
import * as webhookDeliveries from "./queries/outbound/webhook-deliveries.ts";
import * as webhookEndpoints from "./queries/outbound/webhook-endpoints.ts";
import * as webhookOutbox from "./queries/outbound/webhook-outbox.ts";
import * as workers from "./queries/turns/workers.ts";

export {
  budgets,
  egressSettings,
  builds,
  dependencyLayers,
  deviceRequests,
  dispatch,
  readiness,
  sideSnapshots,
  signInTries,
  signIns,
  snapshots,
  steering,
  takeovers,
  triggers,
  turnDetails,
  turnJobs,
  turns,
  webhookDeliveries,
  webhookEndpoints,
  webhookOutbox,
  workers,
};
export {
  allowedOrigins,
  answerRecording,
  agents,
  apiKeys,
  connectedApps,
  attemptLogs,
  auditEntries,
  buildLogs,
  credentials,
  events,
  failedMessages,
  files,
  fleet,
  heads,
  health,
  idempotencyKeys,
  invitations,
  members,
  messageInputs,
  messages,
  messageSteps,
  messageValues,
  modelPrices,
  recordedAnswers,
  modelRequests,
  objects,
  organizations,
  purges,
  rateWindows,
  recordings,
  retention,
  scheduleFirings,
  schedules,
  sealedValues,
  sessionBatches,
  sessionExports,
  sessionImports,
  sessionSummaries,
  sessionTokens,
  sessions,
  sourceSnapshots,
  squashes,
  overview,
  conversationDigests,
  toolCalls,
  usage,
  versions,
};
export { coalesceReads } from "./coalesce-reads.ts";
export { withinTransaction, openDatabase, withSavepoint, withTransaction, type Database } from "./database.ts";
export { readDueWork, readWorkerWork, type DueWork, type WorkerWork } from "./queries/turns/due-work.ts";
export { getRowSecurityState } from "./row-security.ts";
export { migrate, newestMigration } from "./migrate.ts";
export type { WorkerPresence } from "./queries/turns/workers.ts";
export { createPgNotifier } from "./notifier.ts";
export { withOnlineBackup } from "./online-backup.ts";
export { createPgPreviews } from "./previews.ts";
export { createInvariantRounds, type InvariantRounds } from "./queries/operations/invariant-rounds.ts";
export { findViolations, invariants, type Violation } from "./queries/operations/invariants.ts";
export type { EgressSetter, EgressSettingRow } from "./queries/tenants/egress-settings.ts";
export type { BudgetRow, NewBudget } from "./queries/tenants/budgets.ts";
export type { BuildClaim, BuildJob } from "./queries/publishing/builds.ts";
export type { DependencyLayerClaimant } from "./queries/publishing/dependency-layers.ts";
export type { FleetLoad, SlotGrant, OrganizationShare, ReapedSession } from "./queries/turns/dispatch.ts";
export type { WaitingTurn } from "./queries/operations/fleet.ts";
export type { ReferencedObject, StoredObject } from "./queries/storage/objects.ts";
export type { DeepSnapshot, ObjectUse } from "./queries/storage/squashes.ts";
export type { SentAttachment } from "./queries/storage/side-snapshots.ts";
export type {
  AttachmentToPlace,
  PlacedAttachment,
  HistoryRow,
  RecordedAnswerRow,
  RecordedStep,
  TakenMessage,
  TurnEgress,
  TurnReplay,
  TurnResume,
} from "./queries/turns/turn-details.ts";
export type {
  AcceptedMessage,
  Claim,
  Claimant,
  ClaimedTurn,
  ClaimResult,
  FinishInput,
  FinishResult,
  InputAsked,
  LogLine,
  AttachedFile,
  RenewedLease,
  TurnEnding,
  TurnSnapshot,
} from "./queries/turns/turns.ts";
export type { AgentRow } from "./queries/publishing/agents.ts";
export type { SessionSummaryRow, SummaryFilter } from "./queries/turns/session-summaries.ts";
export type { ApiKeyRow, KeyRates, UsableApiKey } from "./queries/tenants/api-keys.ts";
export type { AdvancedApp, AppState, ConnectedAppRow } from "./queries/tenants/connected-apps.ts";
export type { AuditEntryRow } from "./queries/tenants/audit-entries.ts";
export type { CredentialRow } from "./queries/tenants/credentials.ts";
export type { EventRow, EventsAfter } from "./queries/outbound/events.ts";
export type { FailedFilter, FailedMessageRow } from "./queries/turns/failed-messages.ts";
export type { FileRow } from "./queries/storage/files.ts";
export type { ForkOutcome, HeadWrite, RollbackOutcome, WriteOutcome } from "./queries/storage/heads.ts";
export type { ApprovedDevice } from "./queries/tenants/device-requests.ts";
export type { InvitationRow } from "./queries/tenants/invitations.ts";
export type { MemberRefusal, MemberRow, VerifiedPerson } from "./queries/tenants/members.ts";
export type { AnsweredInput } from "./queries/turns/message-inputs.ts";
export type { AskedInput, MessageRow, MessageWalk } from "./queries/turns/messages.ts";
export type { OrganizationRow, TurnBounds, WorkspaceBounds } from "./queries/tenants/organizations.ts";
export type { ListPage, Page } from "./queries/context/page.ts";
export type { CallEventRow, PartEventRow } from "./queries/turns/tool-calls.ts";
export type { ValueRow } from "./queries/storage/message-values.ts";
export type { ModelPrice } from "./queries/tenants/model-prices.ts";
export type {
  ListedModelRequest,
  ModelRequestRow,
  RequestToReserve,
  ReservationResult,
} from "./queries/turns/model-requests.ts";
export type { DueSchedule, FiringRow } from "./queries/automation/schedule-firings.ts";
export type { ScheduleFilter, ScheduleKey, ScheduleRow } from "./queries/automation/schedules.ts";
export {
  correctCount,
  listCountsToCorrect,
  quotaRefusalOf,
  type CorrectedCount,
  type CountKey,
  type QuotaKind,
} from "./queries/tenants/quotas.ts";
export type { RecordingRow } from "./queries/storage/recordings.ts";
export type { RateKind, RateRequest, RateGrant } from "./queries/tenants/rate-windows.ts";
export type {
  BatchItemRow,
  BatchKey,
  BatchProgress,
  BatchResultRow,
  BatchRow,
  InsertedBatch,
  NewBatchItem,
} from "./queries/automation/session-batches.ts";
export type { ExportedInput, ExportedMessage, ExportRow } from "./queries/outbound/session-exports.ts";
export type { ImportedMessage } from "./queries/outbound/session-imports.ts";
export type { SessionEnding, SessionRow } from "./queries/turns/sessions.ts";
export type { SessionTokenClaims, SessionTokenState } from "./queries/tenants/session-tokens.ts";
export type { SourceSnapshotRow } from "./queries/publishing/source-snapshots.ts";
export type { ReceivingTrigger, TriggerKey, TriggerRow } from "./queries/automation/triggers.ts";
export type { VersionRow } from "./queries/publishing/versions.ts";
export type { WebhookDeliveryRow } from "./queries/outbound/webhook-deliveries.ts";
export type { WebhookEndpointKey, WebhookEndpointRow } from "./queries/outbound/webhook-endpoints.ts";
export type { AttemptResult, ClaimedDelivery } from "./queries/outbound/webhook-outbox.ts";
export { isDatabaseUnreachable, isDatabaseDown, isDatabaseErrorTransient } from "./errors.ts";
export { retryThroughOutage } from "./retry-through-outage.ts";
